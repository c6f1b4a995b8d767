"""A bundle's image, built and run by Podman on a base made of Debian's packages; skipped with what forbids it."""

import json
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.reading import read_mask

RELEASE = "bookworm"
"""Debian whose Python is 3.11."""
PACKAGES = "python3,python3-pip,ca-certificates"
MIRROR = "http://deb.debian.org/debian"
BASE = "localhost/medunet-test-base"
PROGRAMS = {"podman": "podman", "runc": "runc", "debootstrap": "debootstrap"}
"""Program to Debian's package."""


def run(*command: object, seconds: int = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds, check=False)


def last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip().splitlines()[-1][:300]


def find_settings() -> dict[str, str]:
    """Where this machine's pip takes packages from."""
    lines = run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in pairs}


def list_places(settings: dict[str, str]) -> list[Path]:
    """Local files and folders that pip's settings name."""
    words = [word.removeprefix("file://") for value in settings.values() for word in shlex.split(value)]
    places = (Path(word) for word in words if word.startswith("/"))
    # The pages of a local index point to files beside them.
    return sorted({path.parent if path.name == "simple" else path for path in places if path.exists()})


@dataclass(frozen=True)
class Podman:
    """Podman with images of its own, which are gone after the tests.

    Attributes:
        place: of its images and containers.
    """

    place: Path

    def __call__(self, word: str, *rest: object, seconds: int = 600) -> subprocess.CompletedProcess[str]:
        roots = ("--root", self.place / "images", "--runroot", self.place / "running", "--runtime", "runc")
        return run("podman", *roots, word, *rest, seconds=seconds)

    def start(self, *rest: object) -> subprocess.CompletedProcess[str]:
        """Run a container without network, within the limits of this process, which it may not be able to raise."""
        files, processes = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
        limits = [f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={min(processes, 4096)}:{min(processes, 4096)}"]
        return self("run", "--rm", "--network", "none", *limits, *rest)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman that holds BASE: Debian with Python, whose pip takes packages from where this machine's does."""
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"{program} isn't installed: apt-get install --no-install-recommends {package}")
    found = Podman(tmp_path_factory.mktemp("podman"))
    root = found.place / "root"
    made = run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, root, MIRROR, seconds=900)
    if made.returncode:
        pytest.skip(f"debootstrap can't make a base here: {last(made)}")
    # The image's own Python is all that it has, so that pip may install into it.
    for path in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        path.unlink()
    lines = [f"{name} = {value}" for name, value in find_settings().items()]
    (root / "etc" / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    subprocess.run(["tar", "-C", str(root), "-cf", str(root.with_suffix(".tar")), "."], check=True)
    shutil.rmtree(root)
    for done in (found("import", root.with_suffix(".tar"), BASE), found.start(BASE, "python3", "--version")):
        if done.returncode:
            pytest.skip(f"podman can't work here: {last(done)}")
    yield found
    found("system", "reset", "--force")
    shutil.rmtree(found.place, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.system
def test_an_image_is_built_and_segments_a_scan(
    podman: Podman, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    """Without network, as its own user, read-only but for the results; its codes are those of the table."""
    folder, out, image = tmp_path / "build", tmp_path / "out", "localhost/medunet-test-map"
    subprocess.run([sys.executable, "-m", "medunet", "package", trained, "-o", folder, "--base", BASE], check=True)
    mounts = [text for place in list_places(find_settings()) for text in ("-v", f"{place}:{place}:ro")]
    built = podman(
        *("build", "--isolation", "chroot", "--network", "host", *mounts),
        *("--target", "map", "-t", image, folder),
        seconds=1800,
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    size = int(podman("image", "inspect", "--format", "{{.Size}}", image).stdout)
    print(f"{size / 1e9:.2f} GB")  # noqa: T201 - of which its base has 0.3
    assert size <= 2e9
    assert podman("image", "inspect", "--format", "{{.Config.User}}", image).stdout.strip() == "1000:1000"
    (wanted,) = medunet.predict(trained, patients[0])

    def segment(scan: Path, *given: str) -> subprocess.CompletedProcess[str]:
        out.mkdir(exist_ok=True)
        out.chmod(0o777)
        scans = ("-v", f"{scan}:/var/holoscan/input:ro", "-v", f"{out}:/var/holoscan/output")
        return podman.start("--read-only", "--tmpfs", "/tmp", *scans, image, *given)  # noqa: S108 - in the container

    done = segment(patients[0])
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == wanted.status == "segmented"
    mask = read_mask(out / result["files"]["seg"], wanted.mask.grid, wanted.mask.table)
    assert np.array_equal(mask.voxels, wanted.mask.voxels)
    assert json.loads(segment(patients[0], "show", "app").stdout)["type"] == "application"
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("no image")
    assert segment(tmp_path / "none").returncode == 2
    assert json.loads((out / "result.json").read_text())["status"] == "refused"
