from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medunet.bundle import open_bundle
from medunet.errors import MissingInputError
from medunet.inference import check_predictions, find_prediction, open_predictor, predict_case, predict_cases
from medunet.records import read_json, write_json


def test_masks_of_the_same_weights_stay_and_others_are_made_anew(trained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(trained)
    case = bundle.cohort().cases[0]
    predictor = open_predictor(bundle)
    predict_cases(predictor, [case], tmp_path)
    mask, record = tmp_path / f"{case.id}.nii.gz", tmp_path / f"{case.id}.json"
    content = mask.read_bytes()
    for spoil in (record.unlink, partial(record.write_text, "{"), mask.unlink):
        spoil()
        predict_cases(predictor, [case], tmp_path)
        assert mask.is_file()
        assert set(read_json(record)["weights"].values()) == {predictor.weights_sha256}
    before = mask.stat().st_mtime_ns
    predict_cases(predictor, [case], tmp_path)
    assert mask.stat().st_mtime_ns == before
    write_json(record, {**read_json(record), "weights": {"model.pt": "of others"}})
    mask.write_bytes(content[:100])
    predict_cases(predictor, [case], tmp_path)
    truth = predict_case(predictor, case)
    found = find_prediction(tmp_path, case, truth)
    assert np.array_equal(found.voxels, truth.voxels)
    assert found.confidence is not None
    assert found.confidence == truth.confidence
    record.unlink()
    assert find_prediction(tmp_path, case, truth).confidence is None


def test_a_mask_that_is_not_there_is_named(trained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(trained)
    first, second = bundle.cohort().cases[:2]
    truth = predict_case(open_predictor(bundle), first)
    with pytest.raises(MissingInputError, match=f"there is no prediction of case {second.id}"):
        find_prediction(tmp_path, second, truth)
    with pytest.raises(MissingInputError) as caught:
        check_predictions(tmp_path, [first, second], "mm")
    assert caught.value.found == f"2 of 2 masks are missing: {first.id}.nii.gz, {second.id}.nii.gz"
    (tmp_path / f"{first.id}.nii.gz").touch()
    with pytest.raises(MissingInputError, match=f": 1 of 2 masks are missing: {second.id}.nii.gz; predict these"):
        check_predictions(tmp_path, [first, second], "mm")
    with pytest.raises(MissingInputError, match="it is no folder; give the one"):
        check_predictions(tmp_path / f"{first.id}.nii.gz", [first], "mm")
