"""A card tells what it must, and its numbers are true."""

from pathlib import Path

from plans import make_test_plan, write_test_bundle

from medunet.bundle import open_bundle
from medunet.bundle.temperature import set_temperature
from medunet.handover.card import check_card, check_written
from medunet.handover.model_card import write_card
from medunet.handover.statements import FILE, Statements, write_statements
from medunet.records import read_json, write_json

WORDS = "Trained on data of 10 patients, Dice 0.8; it fails on MR. Research only. Apache-2.0. " * 3


def look(folder: Path, text: str, count: int = 1_950_000, size: int = 7_800_000) -> list[str]:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "README.md").write_text(text)
    weights = folder / "model.pt"
    with weights.open("wb") as stream:
        stream.truncate(size)
    return [item.found for item in check_card(folder, [count], [weights])]


def test_true_numbers(tmp_path: Path) -> None:
    for said in ("1.95 million weights, 7.8 MB", "1,950,000 parameters", "2.0M params", "five weights"):
        assert look(tmp_path, WORDS + said) == []


def test_wrong_numbers(tmp_path: Path) -> None:
    assert look(tmp_path, WORDS + "(3.9 million weights, 15.6 MB)") == [
        "it says '3.9 million weights', and the network has 1,950,000 parameters",
        "it says '15.6 MB', and a file of weights has 7.8 MB",
    ]


def test_what_is_not_said_and_no_card(tmp_path: Path) -> None:
    assert any("where it fails" in said for said in look(tmp_path, "A network. " * 30))
    assert look(tmp_path, "short") == ["the card has 5 letters"]
    (item,) = check_card(tmp_path / "none", [], [])
    assert item.found == "there is no card"


def test_the_written_part_is_that_of_the_records_and_what_is_missing_is_listed(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())

    def find() -> list[tuple[str, str]]:
        return [(item.severity, item.found) for item in check_written(open_bundle(folder))]

    assert find() == [
        ("note", "it isn't made from the bundle's records, so that no line answers to a checklist"),
    ]
    write_card(folder)
    ((severity, found),) = find()
    assert severity == "note"
    assert found.startswith("24 things are missing that only a person can say: users, indications,")
    every = Statements(**dict.fromkeys(Statements.model_fields, "said"))
    write_statements(folder, every)
    assert find() == [("warning", "the bundle's records say otherwise by now")]
    write_card(folder)
    assert find() == []
    (folder / FILE).write_text("{")
    assert [severity for severity, _ in find()] == ["error"]


def test_a_temperature_that_nothing_tells_of_is_a_warning(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())
    write_card(folder)
    path = folder / "configs" / "inference.json"
    write_json(path, set_temperature(read_json(path), 1.5))
    first = next(iter(check_written(open_bundle(folder))))
    assert first.severity == "warning"
    assert first.found == "it divides logits by 1.5, and docs/calibration.json of these weights tells of 1"
