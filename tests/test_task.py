import pytest

from medunet.errors import RecordError
from medunet.labels import LabelTable, Region
from medunet.records import check_record
from medunet.task import Separation, Task, name_keys


def make_task(*channels: str, **more: object) -> Task:
    table = LabelTable.from_names(["lesion", "node"])
    return Task(channels=channels, modalities=dict.fromkeys(channels, "CT"), labels=table).model_copy(update=more)


@pytest.mark.parametrize(("channels", "keys"), [(("ct",), ("image",)), (("ct", "mr"), ("ct", "mr"))])
def test_keys_of_monai(channels: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert name_keys(channels) == keys
    assert make_task(*channels).image_keys() == keys


def test_inputs_are_the_components_of_all_channels() -> None:
    task = make_task("a", "b", components={"b": 3})
    assert task.count_inputs() == 4
    assert (task.count_components("a"), task.count_components("b")) == (1, 3)


def test_outputs_are_labels_regions_or_parts_of_objects() -> None:
    task = make_task("a")
    assert task.name_classes() == ("background", "lesion", "node")
    regions = (Region(name="all", values=(1, 2), value=1),)
    assert make_task("a", labels=task.labels.model_copy(update={"regions": regions})).name_classes() == ("all",)
    objects = make_task("a", labels=LabelTable.from_names(["nucleus"], objects=True))
    assert objects.name_classes() == ("background", "nucleus")
    parted = objects.model_copy(update={"objects": Separation(border=2, smallest=1.0)})
    assert parted.name_classes() == ("background", "interior", "border")


def test_an_unknown_key_is_named() -> None:
    content = make_task("a").model_dump(mode="json")
    with pytest.raises(RecordError, match="the key 'chanels' is unknown; did you mean 'channels'"):
        check_record({**content, "chanels": ["a"]}, Task, "a task")
