"""A card tells what it must, and its numbers are true."""

from pathlib import Path

from medunet.handover.card import check_card

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
