import shutil
from pathlib import Path

import pytest

from medunet.deploy.models import find_bundle
from medunet.errors import BundleError


def test_a_folder_is_the_bundle_or_holds_one(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "models" / "one")
    assert find_bundle(trained).folder == trained
    assert find_bundle(tmp_path / "models").folder == tmp_path / "models" / "one"
    shutil.copytree(trained, tmp_path / "models" / "two")
    with pytest.raises(BundleError):
        find_bundle(tmp_path / "models")
