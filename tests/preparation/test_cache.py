import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import change
from discs import draw_discs
from PIL import Image
from pydicom import dcmread

from medunet.bundle import open_bundle
from medunet.cohort import LabelSource, find_cohort, read_channel, read_label
from medunet.errors import LabelError
from medunet.labels import LabelTable
from medunet.preparation import PatchDataset, Warp, prepare_case, prepare_cases


def test_prepared_labels_keep_their_volume_and_place(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    for prepared, case in zip(
        prepare_cases(cohort, cohort.cases, bundle.preprocessing, tmp_path), cohort.cases, strict=True
    ):
        mask = read_label(cohort, case, read_channel(case, "ct").grid)
        volume = prepared.label().sum() * np.prod(bundle.plan.grid.spacing_mm) / 1000
        assert volume == pytest.approx(mask.volumes_ml()["lesion"], rel=0.25, abs=1)
        assert prepared.image().shape[1:] == prepared.label().shape
        values = {int(prepared.label()[tuple(row[1:])]) for row in prepared.centres()}
        assert values <= {1}


def test_the_cache_is_kept_until_the_case_changes(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    first = prepare_case(cohort, cohort.cases[0], bundle.preprocessing, tmp_path)
    stamp = (first.folder / "image.npy").stat().st_mtime_ns
    again = prepare_case(cohort, cohort.cases[0], bundle.preprocessing, tmp_path)
    assert (again.folder / "image.npy").stat().st_mtime_ns == stamp
    changed = [dict(step) for step in bundle.preprocessing]
    changed[-1]["dtype"] = "float16"
    assert prepare_case(cohort, cohort.cases[0], changed, tmp_path).folder != first.folder


def test_a_slice_that_changed_in_a_subfolder_is_prepared_anew(untrained: Path, tmp_path: Path) -> None:
    """Of equal size, and with an older date: only that anything was written at all tells it."""
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    source = cohort.cases[0].channels["ct"]
    shutil.copytree(source.path, tmp_path / "in" / "below")
    channel = source.model_copy(update={"path": str(tmp_path / "in")})
    case = cohort.cases[0].model_copy(update={"channels": {"ct": channel}})
    first = prepare_case(cohort, case, bundle.preprocessing, tmp_path / "cache")
    assert prepare_case(cohort, case, bundle.preprocessing, tmp_path / "cache").folder == first.folder
    path = tmp_path / "in" / "below" / "0005.dcm"
    before = path.stat()
    dataset = dcmread(path)
    dataset.PixelData = np.full_like(dataset.pixel_array, 3000).tobytes()
    dataset.save_as(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10**9))
    assert path.stat().st_size == before.st_size
    again = prepare_case(cohort, case, bundle.preprocessing, tmp_path / "cache")
    assert again.folder != first.folder
    assert not np.array_equal(again.image(), first.image())


def test_labels_of_another_frame_of_reference_are_not_prepared(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    case = cohort.cases[0]
    shutil.copytree(case.channels["ct"].path, tmp_path / "in")
    change(tmp_path / "in", lambda dataset, _: setattr(dataset, "FrameOfReferenceUID", "1.2.3"))
    change(tmp_path / "in", lambda dataset, _: setattr(dataset, "StudyInstanceUID", "1.2.4"))
    moved = case.channels["ct"].model_copy(update={"path": str(tmp_path / "in")})
    with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
        prepare_case(
            cohort, case.model_copy(update={"channels": {"ct": moved}}), bundle.preprocessing, tmp_path / "cache"
        )


def test_what_is_ignored_stays_so_and_is_no_foreground(untrained: Path, tmp_path: Path) -> None:
    """A label map of one label and 255 on half of the image, brought to the grid of the network."""
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    case = next(case for case in cohort.cases if read_label(cohort, case, read_channel(case, "ct").grid).voxels.any())
    mask = read_label(cohort, case, read_channel(case, "ct").grid)
    voxels = mask.voxels.astype(np.uint8)
    lower = slice(None, len(voxels) // 2)
    voxels[lower if not voxels[lower].any() else slice(len(voxels) // 2, None)] = 255
    image = nib.Nifti1Image(voxels, mask.grid.affine)
    image.set_sform(mask.grid.affine, 1)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "label.nii.gz")
    case = case.model_copy(update={"label": LabelSource(path=str(tmp_path / "label.nii.gz"))})
    cohort = cohort.model_copy(update={"labels": cohort.labels.model_copy(update={"ignore": 255})})
    prepared = prepare_case(cohort, case, bundle.preprocessing, tmp_path / "cache")
    label, centres = prepared.label(), prepared.centres()
    assert set(np.unique(label)) == {0, 1, 255}
    assert (label == 255).mean() == pytest.approx(0.5, abs=0.05)
    found = label[tuple(centres[:, 1:].T)]
    assert set(centres[:, 0]) == {0, 1}
    assert set(found[centres[:, 0] == 1]) == {1}
    assert set(found[centres[:, 0] == 0]) == {0, 1}
    # Each patch holds something that somebody looked at.
    dataset = PatchDataset([prepared], Warp((8, 8, 8)), 2, 20, 0.5, [], 0)
    assert all((dataset[index]["label"] != 255).any() for index in range(len(dataset)))
    assert all((dataset[index]["label"] == 1).any() for index in range(0, len(dataset), 2))


def test_a_prepared_case_knows_what_nobody_looked_for(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    first = prepare_case(cohort, cohort.cases[0], bundle.preprocessing, tmp_path)
    assert first.unknown() == ()
    names = [*cohort.labels.names, "never drawn"]
    cohort = cohort.model_copy(update={"labels": LabelTable.from_names(names)})
    case = cohort.cases[0].model_copy(update={"contoured": ("lesion",)})
    second = prepare_case(cohort, case, bundle.preprocessing, tmp_path)
    assert second.folder != first.folder
    assert second.unknown() == (len(names),)
    assert np.array_equal(second.label(), first.label())


def test_objects_are_prepared_as_interior_and_border(tmp_path: Path) -> None:
    draw_discs(tmp_path / "in", 2)
    cohort = find_cohort(tmp_path / "in", objects=True)
    steps = [{"_target_": name, "keys": ["image"]} for name in ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped")]
    joined, parted = (prepare_case(cohort, cohort.cases[1], steps, tmp_path, border) for border in (0, 2))
    assert joined.folder != parted.folder
    assert np.unique(joined.label()).tolist() == [0, 1]
    assert np.unique(parted.label()).tolist() == [0, 1, 2]
    assert np.array_equal(parted.label() > 0, joined.label() > 0)
    assert set(parted.centres()[:, 0]) == {1, 2}
    blank = tmp_path / "blank.png"
    Image.fromarray(np.zeros(joined.label().shape[1::-1], np.uint8)).save(blank)
    case = cohort.cases[1].model_copy(update={"label": LabelSource(path=str(blank))})
    unsaid = cohort.model_copy(update={"missing": "unknown"})
    assert [prepare_case(unsaid, case, steps, tmp_path, border).unknown() for border in (0, 2)] == [(1,), (1, 2)]


def test_an_entry_that_was_cut_short_is_made_anew_with_one_warning(
    untrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    case = cohort.cases[0]
    first = prepare_case(cohort, case, bundle.preprocessing, tmp_path)
    wanted = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    assert set(wanted) == {"image.npy", "affine.npy", "label.npy", "centres.npy", "hashes.json"}
    for name, content in wanted.items():
        for size in (0, len(content) - 1, None):
            path = first.folder / name
            if size is None:
                path.unlink()
            else:
                path.write_bytes(content[:size])
            # Of the hashes only the last line's end is gone; entries of earlier versions have no affine.
            whole = (name, size) in (("hashes.json", len(content) - 1), ("affine.npy", None))
            caplog.clear()
            again = prepare_case(cohort, case, bundle.preprocessing, tmp_path)
            assert whole or {path.name: path.read_bytes() for path in again.folder.iterdir()} == wanted
            assert caplog.text.count("the prepared case is damaged") == (not whole), (name, size)
            path.write_bytes(content)
    caplog.clear()
    prepare_case(cohort, case, bundle.preprocessing, tmp_path)
    assert "damaged" not in caplog.text


def test_a_case_of_which_nobody_looked_for_any_label_is_prepared_with_all_unknown(
    untrained: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    case = cohort.cases[0]
    known = prepare_case(cohort, case, bundle.preprocessing, tmp_path)
    bare = case.model_copy(update={"label": None})
    with pytest.raises(LabelError, match="it has no label"):
        prepare_case(cohort, bare, bundle.preprocessing, tmp_path)
    blank = prepare_case(cohort, bare.model_copy(update={"contoured": ()}), bundle.preprocessing, tmp_path)
    assert np.array_equal(blank.image(), known.image())
    assert blank.hashes() == known.hashes()
    assert (blank.label().any(), blank.unknown(), known.unknown()) == (False, (1,), ())
    assert blank.grid().shape == known.label().shape
    assert blank.grid().spacing == pytest.approx(bundle.plan.grid.spacing_mm, rel=0.01)
