import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicoms import change
from plans import make_tiny_bundle, pin_schedule

import medunet
from medunet.bundle import open_bundle
from medunet.errors import OutputExistsError, ScansError, SeriesError
from medunet.inference import Prediction, PredictionRecord, Refusal, make_maker
from medunet.records import read_record


@pytest.fixture(scope="module")
def spoiled(patients: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient whose CT lacks a slice."""
    folder = Path(shutil.copytree(patients[1], tmp_path_factory.mktemp("spoiled") / "spoiled"))
    files = sorted((folder / "CT").iterdir())
    files[len(files) // 2].unlink()
    return folder


def test_a_refusal_does_not_end_the_others(trained: Path, patients: list[Path], spoiled: Path, tmp_path: Path) -> None:
    scans = [patients[0], spoiled, tmp_path / "nowhere", patients[2]]
    results = list(medunet.predict_each(trained, *scans, output=tmp_path / "out"))
    assert [type(item) for item in results] == [Prediction, Refusal, Refusal, Prediction]
    assert [item.source for item in results] == [str(scan) for scan in scans]
    assert [item.status for item in results] == [
        "segmented", "refused: slices-missing", "refused: path-missing", "segmented"
    ]  # fmt: skip
    names = [patients[0].name, patients[2].name]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        name + end for name in names for end in (".json", ".measures.csv", ".measures.json", ".nii.gz")
    )


def test_masks_of_a_batch_are_those_of_one_scan_and_come_from_their_files(
    trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    made = medunet.predict(trained, *patients[:3], output=tmp_path)
    for item, patient in zip(made, patients, strict=False):
        (alone,) = medunet.predict(trained, patient)
        assert np.array_equal(item.mask.voxels, alone.mask.voxels)
        assert item.volumes == pytest.approx(alone.volumes, abs=1e-3)
        assert np.allclose(item.mask.grid.affine, alone.mask.grid.affine)


def test_errors_of_several_scans_are_one_and_that_of_one_is_its_own(
    trained: Path, patients: list[Path], spoiled: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ScansError, match=r"1 of 2 scans are refused \(.*slices are missing.*the others are done"
    ) as caught:
        medunet.predict(trained, patients[0], spoiled, output=tmp_path)
    assert [item.id for item in caught.value.results] == [patients[0].name, spoiled.name]
    assert (tmp_path / f"{patients[0].name}.nii.gz").is_file()
    with pytest.raises(SeriesError, match="slices are missing"):
        medunet.predict(trained, spoiled, output=tmp_path)


def test_the_same_again_is_there_already_and_needs_no_network(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = medunet.predict(trained, *patients[:2], output=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("medunet.inference.maker.load_predictor", None)
        again = medunet.predict(trained, *patients[:2], output=tmp_path)
    assert [item.kept for item in again] == [True, True]
    assert [item.kept for item in first] == [False, False]
    assert [item.volumes for item in again] == [item.volumes for item in first]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_scan_that_changed_is_not_the_same(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    patient = Path(shutil.copytree(patients[0], tmp_path / "p"))
    medunet.predict(trained, patient, output=tmp_path / "out")
    change(patient / "CT", lambda dataset, _: setattr(dataset, "PatientName", "B"))
    with pytest.raises(OutputExistsError, match="it was made of another scan"):
        medunet.predict(trained, patient, output=tmp_path / "out")


def test_the_record_tells_what_it_was_made_of(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, box="-50:50,-50:50,-2000:2000")
    record = read_record(tmp_path / f"{made.id}.json", PredictionRecord)
    bundle = open_bundle(trained)
    volume = medunet.read_volume(patients[0] / "CT")
    assert record.images["ct"].series_uid == volume.source.series_uid
    assert record.images["ct"].path == str(patients[0] / "CT")
    assert record.inputs == {str(patients[0] / "CT"): record.images["ct"].sha256}
    assert record.weights == {"model.pt": bundle.metadata.weights_sha256}
    assert (record.bundle, record.bundle_version) == (bundle.name, bundle.metadata.version)
    assert record.box == "-50:50,-50:50,-2000:2000"
    assert record.status == made.status
    assert record.volumes == made.volumes == pytest.approx(made.mask.volumes_ml(), abs=1e-3)
    assert record.date.endswith("+00:00")
    assert record.seconds >= 0
    assert record.peak_memory_gib > 0


def test_what_nobody_foresaw_costs_its_own_scan_alone(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medunet.inference import jobs

    whole = jobs.predict_prepared

    def fail(predictor: object, scan: object, **how: Any) -> object:
        if getattr(scan, "id", "") == patients[0].name:
            raise ZeroDivisionError("odd")
        return whole(predictor, scan, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "predict_prepared", fail)
    first, second = medunet.predict_each(trained, *patients[:2], output=tmp_path)
    assert first.status == "refused: program-fault"
    assert isinstance(first, Refusal)
    assert "a fault of the program ended it (ZeroDivisionError: odd)" in str(first.error)
    assert isinstance(second, Prediction)


def test_what_came_of_a_scan_keeps_neither_it_nor_its_headers(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medunet.inference import jobs

    whole, prepare, alive, seen = jobs.predict_prepared, jobs.prepare_scan, [], []

    def read(recipe: object, scan: object, *how: Any) -> object:
        seen.append(weakref.ref(scan.reference.series))  # type: ignore[attr-defined]
        return prepare(recipe, scan, *how)  # type: ignore[arg-type]

    def watch(predictor: object, scan: object, **how: Any) -> object:
        gc.collect()
        alive.append(sum(ref() is not None for ref in seen))
        mask = whole(predictor, scan, **how)  # type: ignore[arg-type]
        seen.append(weakref.ref(mask.voxels))
        return mask

    monkeypatch.setattr(jobs, "prepare_scan", read)
    monkeypatch.setattr(jobs, "predict_prepared", watch)
    made = medunet.predict(trained, *patients, output=tmp_path)
    gc.collect()
    assert [ref() for ref in seen] == [None] * len(seen)
    # Headers and mask of the scan that is written, headers of this one and of the next.
    assert max(alive) <= 4
    assert all(item.mask.voxels.shape for item in made)


def test_results_are_the_same_whatever_is_under_way_beside(
    trained: Path, patients: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With little memory scans follow each other; what is stated counts those beside."""
    caplog.set_level("INFO", "medunet")
    together = medunet.predict(trained, *patients, output=tmp_path / "together")
    stated = [float(found) for found in re.findall(r": ([0-9.]+) GiB of memory at most, of", caplog.text)]
    assert len(stated) == len(patients)
    assert max(stated) > 1.05 * min(stated)
    records = [read_record(tmp_path / "together" / f"{item.id}.json", PredictionRecord) for item in together]
    assert sorted(record.predicted_memory_gib or 0 for record in records) == sorted(stated)
    caplog.clear()
    limit = round((min(stated) + max(stated)) / 2, 2)  # as it is stated
    one = medunet.predict(trained, *patients, output=tmp_path / "one", ram_gib=limit)
    assert max(map(float, re.findall(r": ([0-9.]+) GiB of memory at most, of", caplog.text))) <= limit
    for first, second in zip(together, one, strict=True):
        assert np.array_equal(first.mask.voxels, second.mask.voxels)


def test_weights_are_loaded_once_and_when_they_are_needed(trained: Path) -> None:
    maker = make_maker(open_bundle(trained))
    assert maker.load() is maker.load()
    assert maker.load().weights == maker.weights


def test_a_batch_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Of ten scans those that were done are untouched, the others are new."""
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcdefghij")
    pin_schedule(bundle, 1, 4)
    medunet.train(bundle)
    scans = sorted((tmp_path / "bundle.scans").glob("*_ct.nii.gz"))
    assert len(scans) == 10
    out = tmp_path / "out"
    command = [sys.executable, "-m", "medunet", "predict", bundle, *scans, "-o", out]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        while len(list(out.glob("*_ct.json"))) < 3 and run.poll() is None:
            time.sleep(0.005)
        os.killpg(run.pid, signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in out.glob("[!.]*.nii.gz")}
    again = medunet.predict(bundle, *scans, output=out)
    kept = {item.files["nifti"] for item in again if item.kept}
    assert 2 <= len(kept) < 10
    # A process may be killed between the names of a record and of its mask: that scan is predicted anew.
    assert kept <= set(done)
    assert all(path.stat().st_mtime_ns == done[path] for path in kept)
    assert len(again) == 10
    assert all(json.loads((out / f"{item.id}.json").read_text())["outputs"]["nifti"] for item in again)
