import os
import time
from pathlib import Path

import pytest

from medunet.deploy.steps import Image, build, choose_stage, read_steps, run_image
from medunet.errors import InputError, ResourceError

DOCKERFILE = """\
# A small one.
ARG BASE=python:3.11-slim
FROM ${BASE} AS common
ARG WHO=
ARG GREETING=hello
ENV PLACE="/opt/holoscan/app" \\
    WORD="two words" AGAIN="${PLACE}/x"
COPY data /opt/holoscan/app
COPY one.txt /etc/holoscan/two.txt
RUN mkdir -p /var/holoscan/out \\
    && echo "$GREETING ${WHO:+to $WHO}" > /var/holoscan/out/said
WORKDIR /var/holoscan
USER 1000:1000
ENTRYPOINT ["python3", "/opt/holoscan/app/main.py"]

FROM common AS more
RUN echo more >> /var/holoscan/out/said
"""
MAIN = """\
import os, sys
print(open(os.environ["PLACE"] + "/../../../etc/holoscan/two.txt").read(), os.environ["WORD"], sys.argv[1:])
print("GIVEN" in os.environ, "SECRET" in os.environ, os.getcwd(), os.environ["AGAIN"])
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "main.py").write_text(MAIN)
    (tmp_path / "one.txt").write_text("one")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def test_steps_are_those_of_the_dockerfile(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    image = build(folder, "more")
    root = folder / ".run" / "more"
    assert (root / "var/holoscan/out/said").read_text() == "hello \nmore\n"
    assert run_image(image, ["show"], {"GIVEN": "1"}) == 7
    said = capfd.readouterr().out.splitlines()
    assert said == ["one two words ['show']", f"True False {root}/var/holoscan {root}/opt/holoscan/app/x"]
    # Nothing of it lies elsewhere, and what was done isn't done again until a file changes.
    before = (root / "var/holoscan/out/said").stat().st_mtime_ns
    assert build(folder, "more").environment == image.environment
    assert (root / "var/holoscan/out/said").stat().st_mtime_ns == before
    later = time.time() + 5
    (folder / "one.txt").write_text("another")
    os.utime(folder / "one.txt", (later, later))
    build(folder, "more")
    assert (root / "etc/holoscan/two.txt").read_text() == "another"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RUN exit 3", "ends with 3"),
        ("ADD x y", "it has the instruction ADD"),
        ("RUN echo broken >&2; false", "broken"),
    ],
)
def test_what_fails_is_one_sentence(folder: Path, line: str, words: str) -> None:
    (folder / "Dockerfile").write_text(f"FROM x AS common\n{line}\n")
    with pytest.raises((InputError, ResourceError), match=words):
        build(folder, "common")
    assert not (folder / ".run" / "common" / ".done").exists()


def test_an_image_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="known are common, more"):
        choose_stage(read_steps(folder / "Dockerfile"), "other")


def test_only_folders_of_the_image_move(tmp_path: Path) -> None:
    image = Image(tmp_path)
    moved = image.move(
        "cp /opt/holoscan/app /etc/monai; cat /etc/passwd x/opt/holoscan /optics /var/run/holoscan/export"
    )
    assert moved == (
        f"cp {tmp_path}/opt/holoscan/app {tmp_path}/etc/monai; cat /etc/passwd x/opt/holoscan /optics "
        f"{tmp_path}/var/run/holoscan/export"
    )
