import os
import shutil
from pathlib import Path

import pytest
from dicoms import make_grid, write_mask, write_series

from medunet.cohort import Case, Channel, LabelSource, hash_files, list_case_files, stamp_files
from medunet.reading import find_series


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A series in subfolders, contours and somebody else's series beside it."""
    grid = make_grid()
    voxels = write_series(tmp_path / "in" / "a", grid)
    (tmp_path / "in" / "b").mkdir()
    for name in ("0002.dcm", "0005.dcm"):
        (tmp_path / "in" / "a" / name).rename(tmp_path / "in" / "b" / name)
    write_mask(tmp_path / "in" / "contours.dcm", voxels > 1000, grid, voxels)
    write_series(tmp_path / "in" / "other", make_grid("axial"))
    uid = next(item.uid for item in find_series(tmp_path / "in").series if not item.folder.endswith("other"))
    label = LabelSource(path=str(tmp_path / "in" / "contours.dcm"))
    channel = Channel(path=str(tmp_path / "in"), series=uid)
    return Case(id="p", patient="p", channels={"ct": channel}, label=label)


def list_names(case: Case) -> list[str]:
    return [os.path.relpath(file, path) for path, files in list_case_files(case) for file in files]


def test_a_case_is_exactly_the_files_of_its_series_and_labels(case: Case) -> None:
    names = [f"a/000{n}.dcm" for n in (1, 3, 4, 6)] + ["b/0002.dcm", "b/0005.dcm"]
    assert list_names(case) == [*names, "."]
    assert [name for name, _ in hash_files(case)] == [*names, "."]
    assert [Path(str(path)).name for path, *_ in stamp_files(case)] == [Path(n).name for n in names] + ["contours.dcm"]


def test_what_lies_beside_a_case_is_none_of_it(case: Case) -> None:
    stamp, content = stamp_files(case), hash_files(case)
    shutil.rmtree(Path(case.channels["ct"].path) / "other")
    (Path(case.channels["ct"].path) / "notes.txt").touch()
    assert (stamp_files(case), hash_files(case)) == (stamp, content)


@pytest.mark.parametrize("name", ["b/0005.dcm", "contours.dcm"])
def test_a_change_is_noticed_whatever_size_and_date_say(case: Case, name: str) -> None:
    stamp, content = stamp_files(case), hash_files(case)
    path = Path(case.channels["ct"].path) / name
    dates, changed = path.stat(), bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert stamp_files(case) != stamp
    assert [name for (name, new), (_, old) in zip(hash_files(case), content, strict=True) if new != old] == [
        name if name != "contours.dcm" else "."
    ]


def test_a_slice_more_or_less_is_another_case(case: Case) -> None:
    stamp = stamp_files(case)
    path = Path(case.channels["ct"].path) / "b" / "0005.dcm"
    path.rename(path.with_name("0007.dcm"))
    assert list_names(case)[-2] == "b/0007.dcm"
    path.with_name("0007.dcm").unlink()
    assert len(stamp_files(case)) == len(stamp) - 1


def test_a_case_of_files_is_these_files(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).write_text(name)
    label = LabelSource(path=str(tmp_path / "b.nii.gz"))
    case = Case(id="p", patient="p", channels={"mr": Channel(path=str(tmp_path / "a.nii.gz"))}, label=label)
    assert [file.name for _, files in list_case_files(case) for file in files] == ["a.nii.gz", "b.nii.gz"]
    assert len({digest for _, digest in hash_files(case)}) == 2
    assert len(stamp_files(case.model_copy(update={"label": None}))) == 1
