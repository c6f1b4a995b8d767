"""A bundle is checked as a whole; each way to break one is found by its code."""

import shutil
from pathlib import Path

import pytest
import torch
from broken_bundles import BREAKS, Break
from zoo import UNET, write_zoo_bundle

from medunet.errors import MissingInputError
from medunet.handover import check_handover
from medunet.handover.selftest import PLACE
from medunet.training import CONFIGS

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei_unet2d"


def test_a_shipped_bundle_is_proven(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    found = check_handover(folder, CONFIGS)
    assert {item.severity for item in found} == {"note"}
    ways = [item.found.partition(":")[0] for item in found if "self-test by" in item.found]
    assert ways == ["self-test by medunet by torch", "self-test by medunet by OpenVINO", "self-test by MONAI alone"]


@pytest.mark.parametrize("item", BREAKS, ids=lambda item: item.name)
def test_each_way_to_break_one_is_found(item: Break, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / NUCLEI.name))
    if item.code != "bundle-selftest":
        shutil.rmtree(folder / PLACE)
    item.do(folder)
    found = [one for one in check_handover(folder, CONFIGS) if one.severity != "note"]
    assert item.code in {one.code for one in found}
    # What isn't broken isn't told of.
    assert {one.code for one in found} <= {item.code, "bundle-selftest", *item.others}


def test_one_of_the_zoo_isnt_run_unless_it_is_trusted(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b", {**UNET, "act": "$print('hacked')"})
    torch.save({}, folder / "models" / "model.pt")
    found = check_handover(folder, CONFIGS)
    codes = {item.code for item in found if item.severity == "error"}
    assert codes >= {"bundle-untrusted", "bundle-schema", "bundle-incomplete", "bundle-card"}
    assert found == sorted(found, key=lambda item: ("error", "warning", "note").index(item.severity))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        check_handover(tmp_path / "none", CONFIGS)
