"""What an installed package holds: every module, and the bundles that come with it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_holds_all_and_its_bundles_predict_by_name(tmp_path: Path) -> None:
    source, unpacked = tmp_path / "source", tmp_path / "unpacked"
    for name in ("medunet", "bundles", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "work"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run(command, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    # [tool.setuptools] names each package: one that isn't named there is missing here.
    modules = {path.relative_to(ROOT) for path in (ROOT / "medunet").rglob("*.py")}
    assert modules == {path.relative_to(unpacked) for path in (unpacked / "medunet").rglob("*.py")}
    for bundle in (ROOT / "bundles").iterdir():
        files = {path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()}
        placed = unpacked / "medunet" / "shipped" / bundle.name
        assert files == {path.relative_to(placed) for path in placed.rglob("*") if path.is_file()}
    case = ROOT / "bundles" / "nuclei_unet2d" / "docs" / "selftest" / "images" / "case.png"
    predict = f"made, = medunet.predict('nuclei_unet2d', {str(case)!r})"
    code = f"import medunet; {predict}; print(made.objects, medunet.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(unpacked)}, capture_output=True, text=True
    )
    objects, place = told.stdout.split()
    assert int(objects) > 0
    assert Path(place).is_relative_to(unpacked)
