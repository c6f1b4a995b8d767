from pathlib import Path

import pytest
from plans import make_tiny_bundle, pin_schedule

import medunet
from medunet.errors import BundleError, OutputExistsError


def test_what_is_no_bundle_is_not_trained(tmp_path: Path) -> None:
    for verb in (medunet.train, medunet.train_folds):
        with pytest.raises(BundleError, match="it is no bundle of medunet"):
            verb(tmp_path)


def test_paths_may_be_text_and_a_trained_fold_is_kept(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, 1, 2)
    weights = medunet.train(str(bundle))
    assert weights.is_file()
    with pytest.raises(OutputExistsError, match="fold 0 is trained already"):
        medunet.train(str(bundle))
