from plans import make_test_plan

from medunet.bundle import make_metadata
from medunet.bundle.metadata import SCHEMA

REQUIRED = ("version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task")
REQUIRED += ("description", "authors", "copyright", "network_data_format")


def test_what_the_schema_requires_is_there() -> None:
    metadata = make_metadata(make_test_plan(channels=("ct", "pet")), "b")
    assert metadata["schema"] == SCHEMA
    assert all(metadata[key] for key in REQUIRED)
    inputs = metadata["network_data_format"]["inputs"]["image"]
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    assert inputs["num_channels"] == len(inputs["channel_def"]) == 2
    assert outputs["channel_def"] == {"0": "background", "1": "lesion"}
    assert "medunet" not in metadata["required_packages_version"]
    assert metadata["segments"]["1"]["label"] == "lesion"
    assert metadata["segments"]["1"]["type"] == {"scheme": "SCT", "value": "52988006", "meaning": "Lesion"}


def test_components_of_pictures_are_inputs_and_pillow_reads_them() -> None:
    plan = make_test_plan(dims=2, channels=("mr",)).model_copy(update={"unit": "px", "components": {"mr": 3}})
    metadata = make_metadata(plan, "b")
    inputs = metadata["network_data_format"]["inputs"]["image"]
    assert inputs["num_channels"] == len(inputs["channel_def"]) == 3
    assert "pillow" in metadata["required_packages_version"]


def test_inputs_say_their_units() -> None:
    plan = make_test_plan(channels=("ct", "pet")).model_copy(update={"units": {"pet": "SUVbw"}})
    inputs = make_metadata(plan, "b")["network_data_format"]["inputs"]["image"]
    assert inputs["channel_def"] == {"0": "CT", "1": "PT in SUVbw"}
