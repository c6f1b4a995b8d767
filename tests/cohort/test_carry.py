import json
from pathlib import Path

import numpy as np
import pytest
from counting import Counts
from dicoms import change, make_grid, write_series

from medunet.cohort import (
    Case,
    Channel,
    carry_series,
    find_channel,
    find_cohort,
    pack_series,
    read_channel,
    unpack_series,
)
from medunet.errors import SeriesError
from medunet.reading import find_series


def test_cases_carry_the_series_that_they_were_made_of(cohort_folder: Path, counts: Counts) -> None:
    cohort = find_cohort(cohort_folder)
    counts.clear()
    for case in cohort.cases:
        image = find_channel(case.channels["ct"])
        assert image.series is case.channels["ct"].found
        assert image.series is not None
        assert image.path == image.series.folder == case.channels["ct"].path
    assert not counts.take("parse", cohort_folder)


def test_what_is_carried_is_not_written_and_makes_no_case_another(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    bare = type(cohort).model_validate(cohort.model_dump(mode="json"))
    assert bare == cohort
    assert bare.cases[0].channels["ct"].found is None
    assert hash(bare.cases[0].channels["ct"]) == hash(cohort.cases[0].channels["ct"])
    other = cohort.cases[0].channels["ct"].model_copy(update={"path": "elsewhere"})
    assert other.found is None
    assert other != cohort.cases[0].channels["ct"]


def test_a_relative_folder_is_carried_as_absolute(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cohort_folder.parent)
    cohort = find_cohort(cohort_folder.name)
    monkeypatch.chdir(tmp_path)
    case = cohort.cases[0]
    assert find_channel(case.channels["ct"]).series is case.channels["ct"].found is not None
    assert read_channel(case, "ct").voxels.any()


def test_files_that_changed_are_found_again(tmp_path: Path) -> None:
    write_series(tmp_path / "p" / "ct", make_grid())
    found = find_series(tmp_path / "p")
    channel = Channel(path=found.series[0].folder, series=found.series[0].uid).with_series(found.series[0])
    assert channel.found is found.series[0]
    change(tmp_path / "p" / "ct", lambda dataset, _: setattr(dataset, "RescaleIntercept", "-1000"), only=[2])
    assert channel.found is None
    series = find_channel(channel).series
    assert series is not found.series[0]
    assert series is not None
    assert series.files == found.series[0].files
    (tmp_path / "p" / "ct" / "0001.dcm").unlink()
    assert len(getattr(find_channel(channel).series, "files", ())) == len(series.files) - 1


def test_a_series_that_can_not_be_read_is_refused_by_its_path(tmp_path: Path, cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    found = find_series(cohort_folder).series
    odd = [
        type(item)(*(getattr(item, name) for name in item.__slots__[:9]), (SeriesError("x", "y", "z"),))
        for item in found
    ]
    assert all(case.channels["ct"].found for case in carry_series(cohort, found).cases)
    bare = type(cohort).model_validate(cohort.model_dump(mode="json"))
    assert not any(case.channels["ct"].found for case in carry_series(bare, odd).cases)


def test_a_child_process_gets_the_files_and_reads_their_headers_once(tmp_path: Path, counts: Counts) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "in", grid)
    write_series(tmp_path / "other", make_grid("axial"))
    for path in (tmp_path / "other").iterdir():
        path.rename(tmp_path / "in" / f"other-{path.name}")
    uid = next(item.uid for item in find_series(tmp_path / "in").series if "other" not in item.files[0])
    case = Case(id="p", patient="p", channels={"ct": Channel(path=str(tmp_path / "in"), series=uid)})
    packed = json.loads(json.dumps(pack_series(case)))
    assert len(packed["ct"]["files"]) == grid.shape[2]
    counts.clear()
    unpacked = unpack_series(case, packed)
    assert np.array_equal(read_channel(unpacked, "ct").voxels[0], voxels)
    parsed = counts.take("parse", tmp_path)
    assert set(parsed.values()) == {1}
    assert not any("other" in path for path in parsed)


def test_localizers_that_were_set_aside_are_told_there_too(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), only=[0])
    case = Case(id="p", patient="p", channels={"ct": Channel(path=str(tmp_path))})
    here, there = (read_channel(one, "ct").source for one in (case, unpack_series(case, pack_series(case))))
    assert "localizers in the series were set aside: 1" in [note.text for note in here.notes]
    assert here == there


def test_what_can_not_be_found_is_left_to_who_reads_it(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    write_series(tmp_path / "b", make_grid("axial"))
    case = Case(id="p", patient="p", channels={"ct": Channel(path=str(tmp_path))})
    assert pack_series(case) == {}
    with pytest.raises(SeriesError, match="it holds 2 series"):
        read_channel(unpack_series(case, {}), "ct")
    gone = {"ct": {"uid": "1.2", "files": [str(path) for path in (tmp_path / "a").iterdir()], "notes": []}}
    assert unpack_series(case, gone).channels["ct"].found is None
