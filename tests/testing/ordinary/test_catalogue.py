from pathlib import Path

from medunet.testing.faults import ORIENTATIONS
from medunet.testing.ordinary import ORDINARY


def test_names_and_orientations_are_sound() -> None:
    names = [ordinary.name for ordinary in ORDINARY]
    assert len(set(names)) == len(names) >= 60
    assert {ordinary.orientation for ordinary in ORDINARY} == set(ORIENTATIONS)
    assert {ordinary.file.lower().partition(".")[2] for ordinary in ORDINARY} == {"", "nii", "nii.gz", "nrrd", "mha"}


def test_one_is_made_anew_each_time(tmp_path: Path) -> None:
    ordinary = ORDINARY[0]
    ordinary.make().slices[0].values[:] = 0
    scan = ordinary.make()
    assert scan.slices[0].values.any()
    scan.write(tmp_path / "scan")
    assert len(list((tmp_path / "scan").iterdir())) == len(scan.slices)
