import shutil
from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_seg, write_series
from PIL import Image

import medunet
from medunet.errors import GeometryError, InputError, LabelError, MissingInputError
from medunet.evaluation import score_case
from medunet.evaluation.masks import CaseMasks, Naming, read_masks
from medunet.evaluation.pairs import Pair
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.reading import Source, Volume
from medunet.saving import save_volume

GRID = make_grid("oblique", (12, 10, 8))


def save_map(path: Path, voxels: np.ndarray, grid: Grid = GRID) -> Path:
    """A label map that says nothing of its values."""
    return save_volume(Volume(voxels[None], grid, Source(path="")), path)


def draw(values: dict[int, tuple[int, int]], grid: Grid = GRID) -> np.ndarray:
    voxels = np.zeros(grid.shape, np.uint8)
    for value, (start, stop) in values.items():
        voxels[start:stop, 2:8, 2:6] = value
    return voxels


def read(truth: Path, prediction: Path | None, naming: Naming | None = None, image: Path | None = None) -> CaseMasks:
    naming = naming or Naming()
    return read_masks(Pair("case", truth, prediction, image), naming, naming)


def score(masks: CaseMasks) -> dict[str, float | None]:
    return {s.label: s.dice for pair in masks.parts for s in score_case(*pair, "case")}


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Values 1 and 2."""
    return save_map(tmp_path / "t.nii.gz", draw({1: (0, 4), 2: (6, 9)}))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_another_order_or_direction_is_the_same_mask(
    axes: tuple[int, ...], flips: tuple[int, ...], truth: Path, tmp_path: Path
) -> None:
    voxels = np.flip(draw({1: (0, 4), 2: (7, 9)}).transpose(axes), flips)
    steps = np.eye(4)[:, [*axes, 3]]
    for axis in flips:
        steps = steps @ np.diag([-1.0 if n == axis else 1.0 for n in range(4)])
        steps[axes[axis], 3] = GRID.shape[axes[axis]] - 1
    turned = Grid(voxels.shape, GRID.affine @ steps)
    dice = score(read(truth, save_map(tmp_path / "p.nii.gz", np.ascontiguousarray(voxels), turned)))
    assert dice == {"1": 1, "2": pytest.approx(2 * 2 / 5)}


def test_other_places_are_refused_with_both_values(truth: Path, tmp_path: Path) -> None:
    voxels = draw({1: (0, 4)})
    coarse = Grid(GRID.shape, GRID.affine @ np.diag([2.0, 1, 1, 1]))
    with pytest.raises(GeometryError, match=r"p\.nii\.gz: its voxels of 1\.4 × 1\.1 × 3 mm are not .*0\.7 × 1\.1 × 3"):
        read(truth, save_map(tmp_path / "p.nii.gz", voxels, coarse))
    moved = np.array(GRID.affine)
    moved[0, 3] += 10
    with pytest.raises(
        GeometryError, match=r"first voxel lies at \(.*\) mm, that of its truth at \(.*up to 10 mm apart"
    ):
        read(truth, save_map(tmp_path / "q.nii.gz", voxels, Grid(GRID.shape, moved)))
    with pytest.raises(GeometryError, match=r"shape \(12, 10, 7\) is not \(12, 10, 8\)"):
        read(truth, save_map(tmp_path / "r.nii.gz", voxels[..., :7].copy(), Grid((12, 10, 7), GRID.affine)))
    slightly = np.array(GRID.affine)
    slightly[0, 3] += 0.03
    assert score(read(truth, save_map(tmp_path / "s.nii.gz", voxels, Grid(GRID.shape, slightly))))["1"] == 1


def test_values_are_labels_that_one_side_may_lack(truth: Path, tmp_path: Path) -> None:
    masks = read(truth, save_map(tmp_path / "p.nii.gz", draw({1: (0, 4), 11: (9, 11)})))
    assert score(masks) == {"1": 1, "2": 0, "11": None}
    assert score(read(truth, None)) == {"1": 0, "2": 0}


def test_names_are_given_by_who_knows_them(truth: Path, tmp_path: Path) -> None:
    named = Naming({2: "tumor"})
    other = save_map(tmp_path / "p.nii.gz", draw({5: (6, 9), 1: (0, 1)}))
    masks = read_masks(Pair("case", truth, other), named, Naming({5: "Tumor"}))
    assert score(masks) == {"tumor": 1}
    assert masks.left_out == ("values 1 of the truth", "values 1 of predictions")


def test_names_in_headers_count_and_must_agree(truth: Path, tmp_path: Path) -> None:
    table = LabelTable.from_names(["liver", "tumor"])
    declared = Mask("classes", draw({1: (0, 4), 2: (6, 9)}), GRID, table).save(tmp_path / "p.nii.gz")
    with pytest.raises(LabelError, match="its labels are liver, tumor, those of the truth 1, 2; name the values alike"):
        read(truth, declared)
    assert score(read(truth, declared, Naming({1: "liver", 2: "tumor"}))) == {"liver": 1, "tumor": 1}
    swapped = Mask("classes", draw({2: (0, 4), 1: (6, 9)}), GRID, LabelTable.from_names(["Tumor", "LIVER"]))
    assert score(read(declared, swapped.save(tmp_path / "q.nii.gz"))) == {"liver": 1, "tumor": 1}
    more = Mask("classes", draw({1: (0, 4), 2: (6, 9)}), GRID, LabelTable.from_names(["liver", "spleen"]))
    masks = read(declared, more.save(tmp_path / "r.nii.gz"))
    assert (score(masks), masks.left_out) == ({"liver": 1, "tumor": 0}, ("spleen of predictions",))


def test_regions_and_what_nobody_looked_at(truth: Path, tmp_path: Path) -> None:
    table = LabelTable.from_names(["rim", "core"])
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    naming = Naming.from_table(table.model_copy(update={"regions": regions, "ignore": 9}))
    seen = save_map(tmp_path / "u.nii.gz", draw({1: (0, 4), 2: (4, 8), 9: (8, 12)}))
    prediction = save_map(tmp_path / "p.nii.gz", draw({2: (0, 2), 1: (2, 11)}))
    assert score(read(seen, prediction, naming)) == {"whole": 1, "core": 0}


def test_objects_are_numbered_in_any_order(tmp_path: Path) -> None:
    first = save_map(tmp_path / "t.nii.gz", draw({300 % 256: (0, 4), 7: (4, 8)}))
    second = save_map(tmp_path / "p.nii.gz", draw({1: (0, 4), 2: (4, 8)}))
    masks = read(first, second, Naming({1: "cell"}, objects=True))
    (found,) = score_case(*masks.parts[0], "case")
    assert (found.label, found.precision, found.found, found.panoptic) == ("cell", 1, 2, 1)


def test_many_values_that_nobody_named_are_taken_for_objects(tmp_path: Path) -> None:
    numbers = np.arange(300, dtype=np.uint16).reshape(12, 25, 1)
    path = save_map(tmp_path / "t.nii.gz", numbers, Grid(numbers.shape, np.eye(4)))
    with pytest.raises(LabelError, match="numbers 299 objects; add --objects"):
        read(path, None)


def test_images_and_pictures_are_refused(truth: Path, tmp_path: Path) -> None:
    values = np.full(GRID.shape, -1000, np.int16)
    with pytest.raises(LabelError, match="it holds the value -1000"):
        read(save_map(tmp_path / "i.nii.gz", values), None)
    Image.fromarray(np.ones((10, 12), np.uint8)).save(tmp_path / "p.png")
    with pytest.raises(GeometryError, match="it lies on 12 × 10 pixels, its truth on 12 × 10 × 8 voxels"):
        read(truth, tmp_path / "p.png")


def test_pictures(tmp_path: Path) -> None:
    pixels = np.zeros((10, 12), np.uint8)
    pixels[2:6, 3:9] = 1
    Image.fromarray(pixels).save(tmp_path / "t.png")
    Image.fromarray(pixels * (np.arange(12) < 6).astype(np.uint8)).save(tmp_path / "p.png")
    assert score(read(tmp_path / "t.png", tmp_path / "p.png")) == {"1": pytest.approx(2 * 12 / 36)}


@pytest.fixture
def series(tmp_path: Path) -> tuple[Path, Mask]:
    """A CT series, and a mask of two labels on it."""
    grid = make_grid("oblique", (21, 17, 9))
    write_series(tmp_path / "CT", grid)
    return tmp_path / "CT", draw_balls(grid, ["liver", "GTV_1"])


def test_segments_and_contours_are_masks_too(series: tuple[Path, Mask], tmp_path: Path) -> None:
    folder, mask = series
    nifti = mask.save(tmp_path / "m.nii.gz")
    write_seg(tmp_path / "m.seg.dcm", mask, folder)
    contours = medunet.convert(nifti, tmp_path / "m.rtstruct.dcm", to="rtstruct", source=folder)
    files = (nifti, tmp_path / "m.seg.dcm", contours)
    for truth in files:
        for prediction in files:
            assert score(read(truth, prediction, image=folder)) == {"liver": 1, "GTV_1": 1}, (truth, prediction)
    assert score(read(contours, nifti)) == score(read(files[1], nifti)) == {"liver": 1, "GTV_1": 1}
    assert score(read(files[1], files[1])) == {"liver": 1, "GTV_1": 1}
    with pytest.raises(InputError, match=r"m\.rtstruct\.dcm: nothing tells on which grid .*--images"):
        read(contours, None)
    some = read(contours, nifti, Naming({1: "other", 2: "gtv 1"}))
    assert (score(some), some.left_out) == ({"gtv 1": 1}, ("other, which the truth lacks",))
    for truth, prediction in ((contours, nifti), (nifti, contours)):
        # A name that a file of structures lacks is no empty mask.
        with pytest.raises(LabelError, match=r"m\.rtstruct\.dcm: it has no structure 'GTV'; did you mean 'GTV_1'"):
            read(truth, prediction, Naming({2: "GTV"}), folder)


def test_a_folder_holds_contours_and_their_series(series: tuple[Path, Mask], tmp_path: Path) -> None:
    folder, mask = series
    medunet.convert(mask.save(tmp_path / "m.nii.gz"), folder / "c.dcm", to="rtstruct", source=folder)
    assert score(read(folder, tmp_path / "m.nii.gz")) == {"liver": 1, "GTV_1": 1}
    assert score(read(folder, None)) == {"liver": 0, "GTV_1": 0}
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="nowhere: there is no such file or folder"):
        read(tmp_path / "nowhere", None)
    with pytest.raises(InputError, match="empty: it holds no files of labels"):
        read(tmp_path / "empty", None)


def test_no_label_map_is_refused_for_its_image(
    series: tuple[Path, Mask], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, mask = series
    nifti = mask.save(tmp_path / "m.nii.gz")
    contours = medunet.convert(nifti, tmp_path / "m.rtstruct.dcm", to="rtstruct", source=folder)
    masks = read(nifti, contours, image=tmp_path / "gone")
    assert (score(masks), masks.image) == ({"liver": 1, "GTV_1": 1}, None)
    assert "gone: there is no such file or folder" in caplog.text
    with pytest.raises(MissingInputError, match="gone"):
        read(contours, nifti, image=tmp_path / "gone")


def test_the_series_is_the_one_that_contours_refer_to(series: tuple[Path, Mask], tmp_path: Path) -> None:
    folder, mask = series
    contours = medunet.convert(mask.save(tmp_path / "m.nii.gz"), tmp_path / "c.dcm", to="rtstruct", source=folder)
    both = tmp_path / "both"
    shutil.copytree(folder, both / "one")
    write_series(both / "two", make_grid("axial"))
    assert score(read(contours, contours, image=both)) == {"liver": 1, "GTV_1": 1}


def test_structures_that_share_voxels_are_scored_one_by_one(series: tuple[Path, Mask], tmp_path: Path) -> None:
    from pydicom import dcmread

    folder, mask = series
    contours = medunet.convert(mask.save(tmp_path / "m.nii.gz"), tmp_path / "c.dcm", to="rtstruct", source=folder)
    dataset = dcmread(contours)
    # The second structure now holds the contours of the first as well.
    dataset.ROIContourSequence[1].ContourSequence.extend(dataset.ROIContourSequence[0].ContourSequence)
    dataset.save_as(contours)
    masks = read(contours, contours, image=folder)
    assert len(masks.parts) == 2
    assert score(masks) == {"liver": 1, "GTV_1": 1}
    against = score(read(contours, tmp_path / "m.nii.gz", image=folder))
    assert against["liver"] == 1
    assert 0.5 < against["GTV_1"] < 1
