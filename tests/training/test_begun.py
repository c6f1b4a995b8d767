from pathlib import Path

import pytest
from plans import make_tiny_bundle

from medunet.bundle import open_bundle
from medunet.errors import BundleError
from medunet.training import check_untrained, find_run, find_training


def test_a_bundle_is_untrained_until_a_run_begins_or_weights_are_there(tmp_path: Path) -> None:
    bundle = open_bundle(make_tiny_bundle(tmp_path / "bundle", "ab"))
    assert find_training(bundle) is None
    check_untrained(bundle)
    (bundle.folder / "models" / "model.pt").touch()
    with pytest.raises(BundleError, match=r"its training has begun \(model\.pt\); make another bundle"):
        check_untrained(bundle)
    find_run(bundle, 1).hold().close()
    assert find_training(bundle) == bundle.folder / "models" / "model.pt", "a run that was refused leaves its lock"
    find_run(bundle, 1).schedule.touch()
    assert find_training(bundle) == find_run(bundle, 1).path
    find_run(bundle, 1).put_aside()
    with pytest.raises(BundleError, match=r"its training has begun \(fold1\.before-1\)"):
        check_untrained(bundle)
