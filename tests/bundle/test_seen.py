from pathlib import Path

import pytest
from plans import make_test_plan, write_test_bundle

from medunet.bundle import TrustFacts, make_recipe, open_bundle, read_seen, summarize_seen
from medunet.confidence import Limits
from medunet.labels import LabelTable, Region
from medunet.measuring import Fingerprint, ValueRange
from medunet.measuring.measures import CaseMeasure
from medunet.records import read_json, write_json

TASK = make_test_plan().task


def make_case(number: int, volume: float) -> CaseMeasure:
    return CaseMeasure(
        id=f"case {number}",
        shape=(10 * number, 20, 30),
        spacing_mm=(1.0, 2.0, float(number)),
        label_ml={"lesion": volume},
    )


def test_ranges_are_those_of_the_cases() -> None:
    found = Fingerprint(channels={}, cases=(make_case(1, 4.0), make_case(3, 0.5)))
    facts = TrustFacts(limits={"lesion": Limits(score=0.8)}, noise={"ct": (0.01, 0.02)})
    seen = summarize_seen(found, TASK, facts)
    assert seen.cases == 2
    assert seen.volumes == {"lesion": (0.5, 4.0)}
    assert seen.spacing_mm == ((1.0, 1.0), (2.0, 2.0), (1.0, 3.0))
    assert seen.extent_mm == ((10.0, 30.0), (40.0, 40.0), (30.0, 90.0))
    assert seen.limits["lesion"].score == 0.8
    pictures = summarize_seen(found.model_copy(update={"unit": "px"}), TASK, facts)
    assert pictures.spacing_mm is pictures.extent_mm is None


def test_a_region_has_the_volume_of_its_labels() -> None:
    table = LabelTable.from_names(["lesion", "core"])
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    task = TASK.model_copy(update={"labels": table.model_copy(update={"regions": regions})})
    case = make_case(1, 4.0).model_copy(update={"label_ml": {"lesion": 4.0, "core": 1.0}})
    seen = summarize_seen(Fingerprint(channels={}, cases=(case,)), task, TrustFacts())
    assert seen.volumes == {"whole": (5.0, 5.0), "core": (1.0, 1.0)}


def test_a_bundle_without_a_fingerprint_does_not_know(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())
    assert read_seen(folder, TASK, None) is None, "it has no case"
    (folder / "configs" / "fingerprint.json").unlink()
    assert read_seen(folder, TASK, None) is None
    assert make_recipe(open_bundle(folder)).seen is None


def test_what_metadata_say_of_values_counts_where_the_plan_says_nothing(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())
    values = ValueRange(low=(-1000.0, -900.0), middle=(0.0, 10.0), high=(200.0, 300.0))
    path = folder / "configs" / "metadata.json"
    write_json(path, {**read_json(path), "trust": TrustFacts(values={"ct": values}).model_dump(mode="json")})
    assert make_recipe(open_bundle(folder)).values == {"ct": values}


@pytest.mark.parametrize("name", ["sts_petct_unet3d", "nuclei_unet2d"])
def test_shipped_bundles_say_what_they_saw(name: str) -> None:
    bundle = open_bundle(Path(__file__).parents[2] / "bundles" / name)
    seen = make_recipe(bundle).seen
    assert seen is not None
    assert set(seen.volumes) == {region.name for region in bundle.task.labels.structures}
