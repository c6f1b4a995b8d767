import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medunet.deploy.folder import Wishes, write_package
from medunet.errors import BundleError, OutputExistsError


def test_the_folder_holds_all_and_nothing_of_training(trained: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(trained, tmp_path / "lesions"))
    assert (bundle / "work").is_dir()
    folder = write_package(bundle, tmp_path / "out", Wishes("object", monai_manifest=True))
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "app",
        "models",
        "docs",
        "map",
        "Dockerfile",
        ".dockerignore",
        "app.yaml",
        "requirements.txt",
        "tools",
    }
    assert not list(folder.rglob("work"))
    assert not list(folder.rglob("__pycache__"))
    assert {path.name for path in (folder / "models" / "bundle").iterdir()} >= {"configs", "models", "docs", "LICENSE"}
    assert {path.name for path in (folder / "docs").iterdir()} >= {"README.md", "LICENSE"}
    assert json.loads((folder / "map" / "pkg.json").read_text())["models"] == {"bundle": "bundle/"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".json", ".md", "")]
    text = "\n".join(path.read_text("utf-8", "replace") for path in files)
    assert str(tmp_path) not in text
    with pytest.raises(OutputExistsError):
        write_package(bundle, tmp_path / "out")
    with pytest.raises(BundleError):
        write_package(tmp_path / "map", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_its_copy_of_medunet_is_whole(trained: Path, tmp_path: Path) -> None:
    folder = write_package(trained, tmp_path / "out")
    program = "import medunet, importlib.metadata as m; print(medunet.__file__, m.version('medunet'))"
    environment = {"PYTHONPATH": str(folder / "app")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(folder / "app" / "medunet"))
    done = subprocess.run(
        [sys.executable, folder / "tools", "help"], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "HOLOSCAN_INPUT_PATH" in done.stdout
