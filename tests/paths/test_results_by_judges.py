"""Every DICOM result on every geometry, by programs of others: `pytest tests/paths/test_results_by_judges.py -rs -v`.

A line is a result, a geometry and a judge. What a judge can't take is skipped with the reason.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
from dicoms import ORIENTATIONS, change, draw_balls, make_identity
from judges import FOLDER, find_errors, read_by_dcmqi, read_report_by_dcmqi
from pydicom import Dataset, dcmread

from medunet.geometry import Grid, flip_lps_ras
from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_mask, read_volume
from medunet.testing.faults import FAULTS
from medunet.testing.phantoms import write_ct
from medunet.writing import Algorithm, Probabilities, Result
from medunet.writing.formats import FORMATS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FOLDER / "dciodvfy").exists(), reason="make judges brings dciodvfy and dcmqi"),
]
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
SHAPE, SPACING = (21, 17, 9), (0.7, 1.1, 3.0)
NAMES = ("liver", "GTV_1")
PLASTIMATCH = shutil.which("plastimatch")


def turn(row: tuple[float, ...], column: tuple[float, ...]) -> np.ndarray:
    """Directions of I, J and K, columns of (3, 3), LPS."""
    first = np.array(row) / np.linalg.norm(row)
    second = np.array(column) - (np.array(column) @ first) * first
    second /= np.linalg.norm(second)
    return np.column_stack([first, second, np.cross(first, second)])


DIRECTIONS = ORIENTATIONS | {
    "prone": turn((-1, 0, 0), (0, -1, 0)),
    "feet first": turn((-1, 0, 0), (0, 1, 0)),
    "rows are columns": turn((0, 1, 0), (1, 0, 0)),
    "sagittal from the left": turn((0, -1, 0), (0, 0, -1)),
    "coronal from behind": turn((-1, 0, 0), (0, 0, 1)),
    "rolled": turn((0.87, 0.5, 0), (-0.5, 0.87, 0)),
    "doubly oblique": turn((0.8, 0.5, -0.3), (-0.2, 0.6, 0.7)),
}
"""Eleven, all of pixels that aren't square."""


@dataclass(frozen=True, eq=False)
class Case:
    """A series and what is found in it."""

    write: Callable[[Path], None]
    names: tuple[str, ...] = NAMES
    found: bool = True


def write_turned(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = DIRECTIONS[name] * SPACING, (-20.0, 35.0, 110.0)
        grid = Grid(SHAPE, flip_lps_ras(affine))
        voxels = np.random.default_rng(1).integers(-1000, 1500, SHAPE).astype(np.int16)
        write_ct(folder, voxels, grid, make_identity(voxels, grid))

    return write


def write_edited(edit: Callable[[Dataset, int], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_turned("axial")(folder)
        change(folder, edit)

    return write


def tilt(dataset: Dataset, k: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, float(y) + 0.8 * k, z]


def make_square(dataset: Dataset, _: int) -> None:
    dataset.PixelSpacing = [1.0, 1.0]


def name_patient(characters: str, name: str) -> Callable[[Path], None]:
    def edit(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = characters, name

    return write_edited(edit)


def write_frames(orientation: str, *, backwards: bool = False) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        next(fault for fault in FAULTS if fault.code == "76").make(orientation).write(folder)
        (path,) = folder.iterdir()
        if backwards:
            dataset = dcmread(path)
            dataset.PixelData = dataset.pixel_array[::-1].tobytes()
            dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]
            dataset.save_as(path)

    return write


CASES = {
    **{name: Case(write_turned(name)) for name in DIRECTIONS},
    "tilted": Case(write_edited(tilt)),
    "square": Case(write_edited(make_square)),
    "multi-frame axial": Case(write_frames("axial")),
    "multi-frame oblique, backwards": Case(write_frames("oblique", backwards=True)),
    "empty": Case(write_turned("oblique"), found=False),
    "one label": Case(write_turned("oblique"), ("tumor",)),
    "thirty labels": Case(write_turned("oblique"), tuple(f"part {n}" for n in range(30))),
    "Latin-1": Case(name_patient("ISO_IR 100", "Müller^Jörg"), ("Größe", "GTV")),
    "Cyrillic": Case(name_patient("ISO_IR 144", "Иванов^Пётр"), ("печень", "GTV")),
    "GB18030": Case(name_patient("GB18030", "王^小东"), ("病变", "GTV")),
    "UTF-8": Case(name_patient("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう"), ("肝臓", "GTV")),
}
RESULTS = ("seg", "seg-labelmap", "seg-fractional", "rtstruct", "sr", "sc")


@dataclass(frozen=True, eq=False)
class Written:
    """A result on a case, its source, the mask and the probabilities that it holds."""

    path: Path
    series: Path
    mask: Mask
    maps: np.ndarray

    @property
    def errors(self) -> set[str]:
        """Of dciodvfy about the source."""
        return find_errors(next(self.series.iterdir()))


def draw(grid: Grid, case: Case) -> Mask:
    voxels = draw_balls(grid, case.names[:2]).voxels
    if len(case.names) > 2:
        i, j = np.meshgrid(np.arange(grid.shape[0]), np.arange(grid.shape[1]), indexing="ij")
        voxels = np.zeros(grid.shape, np.uint8)
        voxels[:, :, 2:6] = (i * 6 // grid.shape[0] * 5 + j * 5 // grid.shape[1] + 1)[:, :, None]
    return Mask("classes", voxels * case.found, grid, LabelTable.from_names(list(case.names)))


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Written]:
    @lru_cache(1)
    def write_once(name: str, geometry: str) -> Written:
        case, folder = CASES[geometry], tmp_path_factory.mktemp("case")
        case.write(folder / "series")
        image, grid = find_image(folder / "series"), read_volume(folder / "series").grid
        mask = draw(grid, case)
        maps = np.random.default_rng(0).integers(0, 255, (len(case.names), *grid.shape), dtype=np.uint8)
        result = Result(
            *(mask, image, ALGORITHM, {"ct": image}), Probabilities(maps, mask.table.names, exclusive=False)
        )
        if name == "sr":
            result.files["seg"] = folder / "m.seg.dcm"
            FORMATS["seg"].write(result, folder / "m.seg.dcm")
        FORMATS[name].check(image, mask.table, ALGORITHM)
        FORMATS[name].write(result, folder / f"m.{name}.dcm")
        return Written(folder / f"m.{name}.dcm", folder / "series", mask, maps)

    return write_once


def judge_dciodvfy(written: Written, _: str, __: Path) -> None:
    assert find_errors(written.path) - written.errors == set()


def judge_dcentvfy(written: Written, _: str, __: Path) -> None:
    """Patient, study, series and frame of reference go together with those of the source and of what it refers to."""
    beside = [*written.path.parent.glob("*.dcm"), *written.series.iterdir()]  # with the SEG of a report
    done = subprocess.run([FOLDER / "dcentvfy", *beside], capture_output=True, text=True, errors="replace")
    errors = {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}
    result, source = dcmread(written.path), dcmread(next(written.series.iterdir()))
    # It takes the study that an RTSTRUCT names for a file, and compares names byte by byte in whatever encoding.
    errors -= {line for line in errors if "Missing SOPInstanceUID" in line and result.StudyInstanceUID in line}
    if result.PatientName == source.PatientName and source.SpecificCharacterSet != "ISO_IR 192":
        errors -= {line for line in errors if "Element=<PatientName>" in line}
    assert errors == set()


def judge_dcmqi(written: Written, name: str, out: Path) -> None:
    if name == "sr":
        groups = read_report_by_dcmqi(written.path, out / "o.json")
        assert {*written.mask.table.names} <= {item["TrackingIdentifier"] for item in groups}
        return
    if name not in ("seg", "seg-labelmap"):
        pytest.skip("dcmqi reads label maps and reports: no probabilities as such, contours or pictures")
    if not written.mask.grid.is_orthogonal():
        pytest.skip("dcmqi stacks tilted slices along their normal")
    assert np.array_equal(read_by_dcmqi(written.path, written.mask.grid, out / "o"), written.mask.voxels)


def place(affine: np.ndarray, shape: tuple[int, ...], grid: Grid) -> tuple[np.ndarray, ...]:
    """Voxels of a grid at which those of a volume of highdicom lie, whose affine leads to LPS."""
    index = np.argwhere(np.ones(shape, bool))
    lps = index @ affine[:3, :3].T + affine[:3, 3]
    return tuple(np.rint(grid.to_voxel(lps * (-1, -1, 1))).astype(int).T)


def judge_highdicom(written: Written, name: str, _: Path) -> None:
    grid = written.mask.grid
    if name == "rtstruct":
        pytest.skip("highdicom reads no RTSTRUCT")
    if name == "sr":
        groups = highdicom.sr.srread(written.path).content.get_volumetric_roi_measurement_groups()
        assert [item.tracking_identifier for item in groups] == [*written.mask.table.names]
        return
    if not grid.is_orthogonal():
        pytest.skip("highdicom makes no volume of tilted slices")
    if name == "sc":
        volume = highdicom.imread(written.path).get_volume()
        assert volume.array.shape[0] == grid.shape[2]
        at = np.array(place(volume.affine, volume.spatial_shape, grid))
        assert np.unique(at, axis=1).shape[1] == written.maps[0].size, "a pixel on every voxel"
        return
    seg, found = highdicom.seg.segread(written.path), np.full(grid.shape, -1.0)
    if name == "seg-fractional":
        for number, one in enumerate(written.maps, 1):
            volume = seg.get_volume(segment_numbers=[number], rescale_fractional=True)
            found[place(volume.affine, volume.spatial_shape, grid)] = volume.array[..., 0].ravel()
            assert np.abs(found - one / 255).max() < 1e-6
        return
    volume = seg.get_volume(combine_segments=True)
    found[place(volume.affine, volume.spatial_shape, grid)] = volume.array.ravel()
    assert np.array_equal(found, written.mask.voxels)


def judge_medunet(written: Written, name: str, _: Path) -> None:
    if name not in ("seg", "seg-labelmap", "rtstruct"):
        pytest.skip("it holds no mask")
    read = read_mask(written.path, written.mask.grid, written.mask.table)
    assert np.array_equal(read.voxels, written.mask.voxels)


def judge_plastimatch(written: Written, name: str, out: Path) -> None:
    if name != "rtstruct":
        pytest.skip("plastimatch reads RTSTRUCT alone")
    if PLASTIMATCH is None:
        pytest.skip("the Debian package plastimatch isn't installed")
    if abs(flip_lps_ras(written.mask.grid.affine)[2, 2]) < 2:
        pytest.skip("plastimatch loses contours of sagittal and coronal series")
    if not written.mask.grid.is_orthogonal():
        pytest.skip("plastimatch reads no tilted series")
    command = [PLASTIMATCH, "convert", "--input", written.path, "--referenced-ct", written.series]
    command += ["--output-prefix", out / "o", "--prefix-format", "nii.gz"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr
    read = []
    for path in (out / "o").glob("*.nii.gz"):
        image, found = nib.load(path), np.zeros(written.mask.grid.shape, bool)
        at = nib.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj)))
        found[tuple(np.rint(written.mask.grid.to_voxel(at)).astype(int).T)] = True
        read.append(found)
    for label in written.mask.table.labels if written.mask.voxels.any() else ():
        assert any(np.array_equal(found, written.mask.voxels == label.value) for found in read)


JUDGES = {
    "dciodvfy": judge_dciodvfy,
    "dcentvfy": judge_dcentvfy,
    "dcmqi": judge_dcmqi,
    "highdicom": judge_highdicom,
    "medunet": judge_medunet,
    "plastimatch": judge_plastimatch,
}


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("geometry", CASES)
def test_a_result_is_what_it_should_be(
    write: Callable[[str, str], Written], tmp_path: Path, geometry: str, name: str, judge: str
) -> None:
    if name == "rtstruct" and geometry.startswith("multi-frame"):
        pytest.skip("an RTSTRUCT is written for single slices only, and refused before")
    JUDGES[judge](write(name, geometry), name, tmp_path)
