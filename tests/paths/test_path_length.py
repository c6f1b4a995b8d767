"""From disk to mask runs few files of our own, so that the path can be read in one sitting."""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import medunet

PACKAGE = Path(medunet.__file__).parent
# The goal is 18 files and 1,200 lines; over 800 of these lines are the checks that refuse or note odd geometry and
# values. Of these every series runs the ones that tell phases and copies apart, padding, the units of its values, and
# what its headers claim of places beside positions. Logits that stream take 100 lines more than those held whole.
# What tells that a scan is unlike those of training, or its channels unlike each other, what a file is and what is no
# slice, which bits of a pixel count and what text its bytes are: six files and 350 lines since scans are refused less.
# How a network is computed, how far to rely on it, and whether that fits the memory: 16 files and 1,050 lines. OpenVINO
# is an optional package and is fed by hand: one file and 30 lines more. That a mask comes back six times faster, axis
# by axis, with ties decided as ever, and that arrays change their order in the cache: two files and 130 lines.
# Which series is a channel may be said by rules: two files and 100 lines. Labels are looked at piece by piece, so that
# those of the largest scans needn't be in memory: 15 lines. Probabilities may be by a temperature: 11
# lines. A bundle may be named that comes with medunet, and labels have sides and may be unknown: a file, 16 lines.
FILES = 64
LINES = 3_972
# Before a scan is looked for, the bundle is opened, whoever wrote it, its inference.json compared with what medunet
# writes, and its weights are found. Plans may hold the network and the steps of another bundle: 35 lines since then; a
# temperature of its logits: a file and 15 lines; which axes may be mirrored: a file and 5.
OPENING = ("open_any_bundle", "take_recipe")
OPENING_FILES = 16
OPENING_LINES = 905
# Around the path of one scan lies what makes it one of many: arguments are checked, names told apart, what was made
# before is known again, and a record tells of what and by what. Scans overlap in time and share
# the memory: 70 lines; results refer to each other, as a report to its SEG: 10; a folder is parted by rules: 10, so is
# one that a list names: 10; what other options have written is written anew: 10; volumes in `images/`: 3.
AROUND = (
    *("__init__.py", "api/arguments.py", "api/scans.py", "files.py", "machine.py", "progress.py"),
    *("records.py", "runs.py"),
    *("inference/inputs.py", "inference/jobs.py", "inference/outputs.py", "inference/record.py"),
    *("inference/computing.py", "inference/maker.py", "inference/measured.py", "inference/results.py"),
    *("inference/ledger.py", "inference/pipeline.py", "inference/status.py"),
    *("writing/formats.py", "writing/interface.py"),
)
AROUND_LINES = 1_238
# Beside the mask lies what is measured of it, which is no part of how it is made; what is large is read once, in the
# order of its file: 20 lines.
MEASURING = ("extents.py", "measures.py", "parts.py", "writing/measures.py")
MEASURING_LINES = 321


def test_predict_runs_few_files_and_lines(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    medunet.predict(trained, patients[0])  # imports are over before counting
    seen: dict[tuple[str, str, int], int] = {}
    opening: dict[tuple[str, str, int], int] = {}
    within: list[FrameType] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and "<" not in code.co_name:
            if code.co_name in OPENING:
                within.append(frame)
            lines = [line for _, _, line in code.co_lines() if line]
            place = opening if within else seen
            place[code.co_filename, code.co_name, code.co_firstlineno] = max(lines) - code.co_firstlineno + 1
        if event == "return" and within and frame is within[-1]:
            within.pop()

    sys.setprofile(watch)
    try:
        medunet.predict(trained, patients[0], output=tmp_path)
    finally:
        sys.setprofile(None)
    around = {place: lines for place, lines in seen.items() if str(Path(place[0]).relative_to(PACKAGE)) in AROUND}
    beside = {place: lines for place, lines in seen.items() if str(Path(place[0]).relative_to(PACKAGE)) in MEASURING}
    path = {place: lines for place, lines in seen.items() if place not in around and place not in beside}
    files = sorted({str(Path(name).relative_to(PACKAGE)) for name, _, _ in path})
    assert len(files) <= FILES
    assert sum(path.values()) <= LINES
    assert sum(around.values()) <= AROUND_LINES
    assert sum(beside.values()) <= MEASURING_LINES
    assert len({name for name, _, _ in opening}) <= OPENING_FILES
    assert sum(opening.values()) <= OPENING_LINES
    assert {"inference/predict.py", "reading/dicom/values.py", "writing/nifti.py"} <= set(files)


@pytest.mark.slow
def test_a_full_ct_fits_eight_gib(trained: Path, tmp_path: Path) -> None:
    import json
    import subprocess

    from medunet.testing.phantoms import PhantomSize, make_cohort

    (folder,) = make_cohort(tmp_path / "ct", 1, PhantomSize((512, 512, 300), (0.8, 0.8, 1.25)))
    command = [sys.executable, "-m", "medunet", "predict", str(trained), str(folder), "-o", str(tmp_path / "out")]
    subprocess.run(command, capture_output=True, check=True)
    record = json.loads((tmp_path / "out" / f"{folder.name}.json").read_text())
    assert record["peak_memory_gib"] < 8
