"""What becomes the mask, decided otherwise: options, the plan's own steps, and MONAI alone by the same steps."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage
from stock import in_float32, run_monai

import medunet
from medunet.bundle import make_recipe, open_bundle, rewrite_bundle
from medunet.errors import OutputExistsError
from medunet.files import hash_file
from medunet.inference import PredictionRecord, jobs
from medunet.postprocessing import NOTHING
from medunet.records import read_json, read_record, write_json
from medunet.training import CONFIGS

EVERYWHERE = np.ones((3, 3, 3))


@pytest.fixture(scope="module")
def images(patients: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans as NIfTI."""
    folder = tmp_path_factory.mktemp("images")
    for patient in (patients[0], patients[3]):
        volume = medunet.read_volume(patient / "CT")
        volume.save(folder / f"{patient.name}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def unsure(trained: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A bundle whose lesions are several parts, since its network takes background for half as likely; and a size in mL
    between those of the parts.
    """
    bundle = Path(shutil.copytree(trained, tmp_path_factory.mktemp("unsure") / "bundle"))
    weights = bundle / "models" / "model.pt"
    state = torch.load(weights, weights_only=True)
    name = next(key for key in reversed(state) if key.endswith("bias") and len(state[key]) == 2)
    for shift in np.arange(0.0, 8.0, 0.5):
        changed = {**state, name: state[name] + torch.tensor([-shift, 0.0])}
        torch.save(changed, weights)
        metadata = read_json(bundle / "configs" / "metadata.json")
        write_json(bundle / "configs" / "metadata.json", {**metadata, "weights_sha256": hash_file(weights)})
        with in_float32():
            made = medunet.predict(bundle, *sorted(images.iterdir()), backend="torch")
        sizes = [sorted(part.volume for part in item.measures.structures[0].lesions) for item in made]
        if all(len(item) > 2 and item[-1] > item[-2] for item in sizes):
            return bundle, float(np.median(sizes[0])) * 1.01
    pytest.fail("no shift makes several parts")


def test_options_leave_out_parts_and_belong_to_the_job(
    unsure: tuple[Path, float], images: Path, tmp_path: Path
) -> None:
    bundle, size = unsure
    scan = min(images.iterdir())
    (plain,) = medunet.predict(bundle, scan, output=tmp_path / "plain")
    (large,) = medunet.predict(bundle, scan, output=tmp_path / "large", keep_largest=["lesion"])
    (parts,) = medunet.predict(bundle, scan, output=tmp_path / "parts", smallest=f"{size:.6f}mL")
    numbers, count = ndimage.label(plain.mask.voxels, EVERYWHERE)
    volumes = np.bincount(numbers.ravel())[1:] * plain.mask.voxel_volume
    assert [item.volume for item in plain.measures.structures[0].lesions] == pytest.approx(sorted(volumes)[::-1])
    assert count == plain.measures.structures[0].lesion_count
    assert np.array_equal(large.mask.voxels, numbers == np.argmax(volumes) + 1)
    assert np.array_equal(parts.mask.voxels, np.isin(numbers, np.flatnonzero(volumes >= size) + 1))
    assert 0 < (volumes < size).sum() < count
    record = read_record(tmp_path / "large" / f"{large.id}.json", PredictionRecord)
    assert (record.keep_largest, record.smallest, record.thresholds) == (("lesion",), 0.0, {})
    assert read_record(tmp_path / "parts" / f"{large.id}.json", PredictionRecord).smallest == pytest.approx(
        size, abs=1e-5
    )
    (kept,) = medunet.predict(bundle, scan, output=tmp_path / "large", keep_largest=["all"])
    assert kept.kept, "it is the same of one label"
    with pytest.raises(OutputExistsError, match="it was made with other options"):
        medunet.predict(bundle, scan, output=tmp_path / "large")
    (anew,) = medunet.predict(bundle, scan, output=tmp_path / "large", overwrite=True)
    assert np.array_equal(anew.mask.voxels, plain.mask.voxels)


def test_a_threshold_takes_what_is_at_least_so_likely(trained: Path, images: Path, tmp_path: Path) -> None:
    scan = min(images.iterdir())
    (made,) = medunet.predict(
        trained, scan, output=tmp_path / "a", formats=("probabilities",), thresholds={"lesion": 0.2}
    )
    maps = nib.load(made.files["probabilities"]).get_fdata()[..., 1]
    mask = made.mask.voxels > 0
    assert (maps[mask] > 0.2 - 2 / 255).all()
    assert (maps[~mask] < 0.2 + 2 / 255).all()
    (plain,) = medunet.predict(trained, scan)
    assert mask.sum() > (plain.mask.voxels > 0).sum()
    record = read_record(tmp_path / "a" / f"{made.id}.json", PredictionRecord)
    assert record.thresholds == {"lesion": 0.2}


def test_the_plan_says_it_and_monai_alone_does_it(
    unsure: tuple[Path, float], images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("skimage")
    bundle, size = unsure
    for name, parts in (("largest", {"keep_largest": ("lesion",)}), ("smallest", {"smallest": round(size, 6)})):
        folder = Path(shutil.copytree(bundle, tmp_path / name))
        metadata = read_json(folder / "configs" / "metadata.json")
        opened = open_bundle(folder)
        rewrite_bundle(opened, opened.plan.change(decision=parts), CONFIGS)
        made = read_json(folder / "configs" / "metadata.json")
        assert "scikit-image" in made["required_packages_version"]
        assert "scikit-image" not in metadata["required_packages_version"]
        write_json(
            folder / "configs" / "metadata.json", {**made, **{k: metadata[k] for k in ("weights_sha256", "training")}}
        )
        assert make_recipe(open_bundle(folder)).cleaning != NOTHING
        assert "plan.json" not in caplog.text
        masks = tmp_path / "data" / "labels"
        with in_float32():
            ours = medunet.predict(folder, *sorted(images.iterdir()), output=masks, overwrite=True, backend="torch")
            plain = medunet.predict(folder, *sorted(images.iterdir()), keep_largest=[], smallest=0, backend="torch")
        assert any(one.mask.voxels.sum() < other.mask.voxels.sum() for one, other in zip(ours, plain, strict=True)), (
            "nothing was left out"
        )
        options = ("--dataset_dir", images, "--output_dir", tmp_path / f"{name}_out")
        config = folder / "configs" / "inference.json"
        run_monai("run", "--config_file", config, *options, cwd=tmp_path, parts=True)
        for item in ours:
            theirs = np.asarray(nib.load(tmp_path / f"{name}_out" / f"{item.id}_mask.nii.gz").dataobj)
            assert item.mask.voxels.any(), "agreement on nothing proves nothing"
            assert ndimage.label(theirs, EVERYWHERE)[1] == ndimage.label(item.mask.voxels, EVERYWHERE)[1]
            assert (theirs != item.mask.voxels).sum() <= 2, "rounding of logits alone"
        # evaluate.json scores what is left.
        shutil.copytree(images, tmp_path / "data" / "images", dirs_exist_ok=True)
        options = ("--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / f"{name}_eval")
        run_monai("run", "--config_file", folder / "configs" / "evaluate.json", *options, cwd=tmp_path, parts=True)
        summary = (tmp_path / f"{name}_eval" / "metrics.csv").read_text()
        assert float(summary.replace(",", " ").split()[-1]) >= 0.999


def test_a_plan_of_unknown_labels_is_refused(unsure: tuple[Path, float], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(unsure[0], tmp_path / "bundle"))
    path = bundle / "configs" / "plan.json"
    write_json(path, {**read_json(path), "decision": {"keep_largest": ["lesoin"]}})
    with pytest.raises(medunet.RecordError, match="there is no label 'lesoin': did you mean 'lesion'"):
        open_bundle(bundle)
    write_json(path, {**read_json(path), "decision": {"keep_largest": ["lesion"]}})
    opened = open_bundle(bundle)
    assert make_recipe(opened).cleaning == NOTHING, "inference.json counts"


def test_what_is_missing_is_made_of_the_mask_without_the_network(
    trained: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = min(images.iterdir())
    (made,) = medunet.predict(trained, scan, output=tmp_path)
    before = read_record(tmp_path / f"{made.id}.json", PredictionRecord)
    made.files["measures"].unlink()

    def fail(*_: object) -> None:
        raise AssertionError("the network isn't needed")

    monkeypatch.setattr(jobs, "predict_prepared", fail)
    (again,) = medunet.predict(trained, scan, output=tmp_path, formats=("nifti", "picture"))
    assert list(again.files) == ["nifti", "picture", "measures", "measures-csv"]
    assert again.measures == made.measures
    after = read_record(tmp_path / f"{made.id}.json", PredictionRecord)
    assert (after.volumes, after.notes, after.outputs["nifti"]) == (
        before.volumes,
        before.notes,
        before.outputs["nifti"],
    )
    assert medunet.predict(trained, scan, output=tmp_path, formats=("nifti", "picture"))[0].kept
