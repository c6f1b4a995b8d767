"""What a new bundle takes over from another one, before anything is measured."""

from pathlib import Path
from typing import Any

import pytest
from plans import make_test_plan, make_tiny_bundle
from zoo import INVERT, UNET, oriented, write_random_weights, write_zoo_bundle
from zoo_styles import LOAD, SCALE_ALL

from medunet.bundle import Source, fit_source, match_outputs, open_bundle, publish_weights, read_source
from medunet.cohort import Case, Channel, Cohort
from medunet.errors import BundleError, InputError
from medunet.findings import listening
from medunet.labels import LabelTable
from medunet.networks import build_network, make_network


def make_cohort(channels: tuple[str, ...] = ("ct",), modality: str = "CT", path: str = "a.nii.gz") -> Cohort:
    case = Case(id="p", patient="p", channels={name: Channel(path=path) for name in channels})
    labels = LabelTable.from_names(["a"])
    return Cohort(channels=channels, modalities=dict.fromkeys(channels, modality), labels=labels, cases=(case,))


def make_source(folder: Path, **parts: Any) -> Source:
    zoo = write_zoo_bundle(folder, **parts)
    write_random_weights(zoo)
    return read_source(zoo)


def test_chain_window_and_network_are_taken_as_they_are(tmp_path: Path) -> None:
    source = make_source(tmp_path / "spleen")
    given = source.given
    assert [step["_target_"] for step in given.grid.steps or ()] == [
        *("Orientationd", "Spacingd", "ScaleIntensityRanged", "EnsureTyped")
    ]
    assert given.grid.spacing_mm == (3.0, 3.0, 4.0)
    assert (given.window.patch, given.window.overlap, given.window.mode) == ((16, 16, 16), 0.5, "constant")
    assert given.network.given is not None
    assert given.network.given.definition == {**UNET}
    assert source.outputs == ("background", "organ 1")
    assert set(source.weights) == set(build_network(UNET).state_dict())


def test_outputs_are_matched_by_name(tmp_path: Path) -> None:
    source = make_source(tmp_path / "b", network={**UNET, "out_channels": 4})
    assert match_outputs(source, ("background", "Organ_3", "new", "organ 1")) == [0, 3, None, 1]
    assert match_outputs(source, ("background", "new")) == [None, None]


def test_keys_get_the_names_of_the_cohort(tmp_path: Path) -> None:
    names = ["t1", "t2"]
    chain = [
        {**LOAD, "keys": names},
        {"_target_": "EnsureChannelFirstd", "keys": names},
        {"_target_": "ResampleToMatchd", "keys": "t2", "key_dst": "t1", "mode": "bilinear"},
        {"_target_": "ConcatItemsd", "keys": names, "name": "image"},
        SCALE_ALL,
    ]
    post = [{**INVERT, "orig_keys": "t1"}]
    source = make_source(tmp_path / "b", network={**UNET, "in_channels": 2}, chain=chain, post=post)
    fitted, cohort = fit_source(source, make_cohort(("flair", "adc"), "MR"))
    assert cohort.channels == ("flair", "adc")
    match, concat, _ = fitted.given.grid.steps or ()
    assert (match["keys"], match["key_dst"]) == ("adc", "flair")
    assert (concat["keys"], concat["name"]) == (["flair", "adc"], "image")
    _, turned = fit_source(source, make_cohort(("T2", "T1"), "MR"))
    assert turned.channels == ("T1", "T2"), "names that are alike count"


def test_what_does_not_fit_a_cohort(tmp_path: Path) -> None:
    source = make_source(tmp_path / "b")
    with pytest.raises(InputError, match=r"it takes 1 channels \(ct\)"):
        fit_source(source, make_cohort(("ct", "pet")))
    with pytest.raises(InputError, match="3D network takes volumes, and the cohort holds pictures"):
        fit_source(source, make_cohort(path="a.png"))
    with pytest.raises(InputError, match="its network has 3 axes"):
        fit_source(source, make_cohort(), dims=2)
    with listening() as heard:
        fit_source(source, make_cohort(modality="MR"))
    assert [item.code for item in heard] == ["modality-differs"]


def test_a_bundle_of_medunet(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny", "pq")
    with pytest.raises(BundleError, match="no weights"):
        read_source(folder)
    plan = make_test_plan()
    publish_weights(folder, build_network(make_network(plan)).state_dict(), {"training": {"fold": 1}})
    source = read_source(folder)
    assert source.given.network == open_bundle(folder).plan.network
    assert source.outputs == ("background", "lesion")
    assert source.patients == {"p"}
    with pytest.raises(InputError, match="patient p of the cohort was in its training"):
        fit_source(source, make_cohort())


def test_a_resampling_that_keeps_an_axis(tmp_path: Path) -> None:
    assert make_source(tmp_path / "b", chain=oriented((2.0, 2.0, -1))).given.grid.spacing_mm == (2.0, 2.0, 0.0)
