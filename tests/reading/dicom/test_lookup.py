from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset

from medunet.errors import SeriesError
from medunet.reading import read_volume


def give_table(dataset: Dataset, table: np.ndarray, first: int = 0, **descriptor: int) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [descriptor.get("count", len(table)), first, descriptor.get("bits", 16)])
    item.add_new("LUTData", "OW", table.astype("u1" if descriptor.get("bits") == 8 else "<u2").tobytes())
    item.ModalityLUTType = "HU"
    dataset.ModalityLUTSequence = [item]
    del dataset.RescaleSlope, dataset.RescaleIntercept


def test_each_slice_goes_through_its_own_table(tmp_path: Path) -> None:
    stored = write_series(tmp_path, make_grid()) + 1024
    tables = [np.random.default_rng(k).integers(0, 5000, 4096) for k in range(6)]
    change(tmp_path, lambda dataset, k: give_table(dataset, tables[k]))
    found = read_volume(tmp_path)
    assert found.source.units == "HU"
    for k, table in enumerate(tables):
        assert np.array_equal(found.voxels[0, :, :, k], table[stored[:, :, k]])


def test_values_beyond_the_table_take_its_ends(tmp_path: Path) -> None:
    stored = write_series(tmp_path, make_grid()) + 1024
    table = np.arange(1000) * 3 + 7
    change(tmp_path, lambda dataset, _: give_table(dataset, table, first=500))
    found = read_volume(tmp_path).voxels[0]
    assert (stored < 500).any()
    assert (stored > 1500).any()
    assert np.array_equal(found, np.clip(stored - 500, 0, 999) * 3 + 7)


def keep_rescale(dataset: Dataset, _: int) -> None:
    give_table(dataset, np.arange(4096))
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (keep_rescale, "a Modality LUT and a rescale"),
        (lambda dataset, _: give_table(dataset, np.arange(99), count=100), "holds 99 entries where 100 of 16 bits"),
        (lambda dataset, _: give_table(dataset, np.arange(98), count=100, bits=8), "holds 98 entries where 100 of 8"),
        (lambda dataset, _: setattr(dataset, "ModalityLUTSequence", [Dataset()]), "Modality LUT can't be read"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, edit, only=[2])  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=words):
        read_volume(tmp_path)
