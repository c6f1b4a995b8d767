"""Tiny DICOM series and contours with known positions."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from medunet.errors import ResourceError
from medunet.files import whole_file
from medunet.geometry import Grid, flip_lps_ras
from medunet.labels import LabelTable, Mask
from medunet.reading import read_segmentation
from medunet.testing.faults import ORIENTATIONS
from medunet.testing.phantoms import Identity, write_contours, write_ct
from medunet.writing import Algorithm, Result, write_segmentation
from medunet.writing.formats import FORMATS


def make_grid(orientation: str = "oblique", shape: tuple[int, int, int] = (12, 10, 6)) -> Grid:
    """A grid with unequal spacing; columns of the orientation are the directions of I, J, K in LPS."""
    affine = np.eye(4)
    affine[:3, :3] = ORIENTATIONS[orientation] * (0.7, 1.1, 3.0)
    affine[:3, 3] = (-20.0, 35.0, 110.0)
    return Grid(shape, flip_lps_ras(affine))


def make_identity(voxels: np.ndarray, grid: Grid) -> Identity:
    """A made-up patient whose UIDs follow from the image."""
    return Identity.from_content("PHANTOM^Test", "PH-T", "O", voxels, grid)


def write_series(folder: Path, grid: Grid, voxels: np.ndarray | None = None) -> np.ndarray:
    """Write a CT series; returns its HU (I, J, K)."""
    if voxels is None:
        voxels = np.random.default_rng(1).integers(-1000, 1500, grid.shape).astype(np.int16)
    write_ct(folder, voxels, grid, make_identity(voxels, grid))
    return voxels


def write_mask(path: Path, mask: np.ndarray, grid: Grid, voxels: np.ndarray) -> None:
    """Write contours for a series of `write_series`."""
    write_contours(path, mask, grid, make_identity(voxels, grid), "lesion")


def draw_balls(grid: Grid, names: Sequence[str] = ("lesion",), radius_mm: float = 3.2) -> Mask:
    """A ball for each label, small beside the grid, none symmetric to another or to itself within the grid."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    voxels = np.zeros(grid.shape, np.uint8)
    for n in range(len(names)):
        centre = (np.array(grid.shape) - 1) * (0.3 + 0.4 * n, 0.6 - 0.2 * n, 0.3 + 0.5 * n)
        voxels[np.linalg.norm((index - centre) * grid.spacing, axis=-1) < radius_mm] = n + 1
        assert (voxels == n + 1).any()
    return Mask("classes", voxels, grid, LabelTable.from_names(list(names)))


def write_seg(path: Path, mask: Mask, series: Path) -> None:
    """Write a mask on a series of `write_series`."""
    slices = [dcmread(file, stop_before_pixels=True) for file in sorted(series.glob("*.dcm"))]
    algorithm = Algorithm("ball finder", "1.2.3", "f" * 64)
    write_segmentation(mask, path, slices, algorithm, lambda part, _: read_segmentation(part, mask.grid, mask.table))


def refuse_another_reading(name: str, result: Result, path: Path) -> None:
    """Write a result beside its `series`, whose file reads back otherwise: it is refused, and nothing of it is left."""
    with (
        pytest.raises(ResourceError, match="differs from what was written"),
        whole_file(path) as part,
    ):
        FORMATS[name].write(result, part)
    assert [item.name for item in path.parent.iterdir()] == ["series"]


def change(folder: Path, edit: Callable[[Dataset, int], None], only: Sequence[int] | None = None) -> None:
    """Edit the files of a series in the order of their names."""
    for number, path in enumerate(sorted(folder.glob("*.dcm"))):
        if only is None or number in only:
            dataset = dcmread(path)
            edit(dataset, number)
            dataset.save_as(path)


CHARACTER_SETS = (
    ("ISO_IR 100", "Müller^Jörg", ["Größe", "GTV"]),
    ("ISO_IR 144", "Иванов^Пётр", ["печень", "GTV"]),
    ("GB18030", "王^小东", ["病变", "GTV"]),
    ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう", ["肝臓", "GTV"]),
)
"""SpecificCharacterSet, a patient's name in it, and names of labels."""


def name_patient(folder: Path, named: str, patient: str) -> None:
    """Give the files of a series a patient's name in a character set."""

    def rename(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = named, patient

    change(folder, rename)


Tags = dict[str, object]


def write_phases(folder: Path, grids: Sequence[Grid], tags: Sequence[Callable[[int], Tags]]) -> list[np.ndarray]:
    """Write several images as one series; returns the HU (I, J, K) of each.

    Args:
        folder: made if it isn't there.
        grids: of each image.
        tags: of each image, by the number of the slice.
    """
    written = []
    for number, (grid, edit) in enumerate(zip(grids, tags, strict=True)):
        voxels = np.random.default_rng(10 + number).integers(-1000, 1500, grid.shape).astype(np.int16)
        written.append(write_series(folder / "part", grid, voxels))

        def join(dataset: Dataset, k: int, edit: Callable[[int], Tags] = edit) -> None:
            dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = "1.2.1", "1.2.2", "1.2.3"
            dataset.update(edit(k))

        change(folder / "part", join)
        for path in sorted((folder / "part").iterdir()):
            path.rename(folder / f"{path.stem}-{number}.dcm")
        (folder / "part").rmdir()
    return written


HALF_LIFE = 6586.2
"""Of 18F in seconds."""


def make_pet(dataset: Dataset | None = None) -> Dataset:
    """FDG: 370 MBq at 9:00, scan from 10:00 on, 70 kg."""
    dataset = dataset or Dataset()
    dataset.Modality, dataset.Units, dataset.DecayCorrection = "PT", "BQML", "START"
    dataset.CorrectedImage, dataset.PatientWeight = ["NORM", "DECY", "ATTN"], "70"
    dataset.SeriesDate, dataset.SeriesTime = "20240102", "100000.00"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", "100000"
    dose = Dataset()
    dose.RadionuclideTotalDose, dose.RadionuclideHalfLife = "370000000", str(HALF_LIFE)
    dose.RadiopharmaceuticalStartTime = "090000"
    dataset.RadiopharmaceuticalInformationSequence = [dose]
    return dataset
