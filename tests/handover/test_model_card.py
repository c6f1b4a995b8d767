import shutil
from pathlib import Path

import pytest
from PIL import Image
from plans import make_test_plan, write_test_bundle

from medunet.bundle import open_bundle
from medunet.errors import RecordError
from medunet.evaluation import CaseScore, Scores
from medunet.handover.model_card import BEGIN, CARD, END, SCORES, find_written, merge, number_cases, render, write_card
from medunet.handover.statements import FILE, Statements, write_statements
from medunet.records import read_record, write_record
from medunet.report.worst import FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(write_test_bundle(tmp_path / "bundle", make_test_plan()))


def make_scores(*cases: str) -> Scores:
    held = {"nsd": 0.5, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0, "false_found": 0, "false_ml": 0}
    scores = tuple(CaseScore(case=case, label="lesion", dice=0.5, **held) for case in cases)  # type: ignore[arg-type]
    return Scores(
        methods={"medunet": scores, "ellipsoid": scores},
        patients={case: f"Mrs {case}" for case in cases},
        trust={"lesion": {cases[0]: "look"}},
        seen=cases[-1:],
    )


def evaluate(folder: Path, *cases: str) -> None:
    write_record(folder / "work" / "evaluation" / "scores.json", make_scores(*cases))
    (folder / "work" / "evaluation" / FOLDER).mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "work" / "evaluation" / FOLDER / "1.jpg")


def test_what_people_wrote_around_the_card_stays(folder: Path) -> None:
    path = folder / CARD
    path.write_text("# Mine\nabove\n")
    assert "users" in write_card(folder)
    first = path.read_text()
    assert first.startswith("# Mine\nabove\n\n" + BEGIN)
    path.write_text(first + "\n## Below\nit\n")
    write_statements(folder, Statements(users="two radiologists"))
    assert "users" not in write_card(folder)
    second = path.read_text()
    assert second.startswith("# Mine\nabove\n")
    assert second.endswith(END + "\n\n## Below\nit\n")
    assert second.count(BEGIN) == 1
    assert "two radiologists" in second
    write_card(folder)
    assert path.read_text() == second
    assert find_written(second) == render(open_bundle(folder))
    assert find_written("# Mine") is None


def test_a_card_that_lost_its_end_is_written_below() -> None:
    assert merge(f"a\n{BEGIN}\nb", "c\n") == f"a\n{BEGIN}\nb\n\n{BEGIN}\nc\n{END}\n"
    assert merge(f"a\n{BEGIN}\nb{END}\nd", "c\n") == f"a\n{BEGIN}\nc\n{END}\nd"


def test_names_of_patients_stay_in_work(folder: Path) -> None:
    evaluate(folder, "Ada", "Bob")
    write_card(folder)
    docs = "".join(path.read_text() for path in (folder / "docs").rglob("*.*") if path.suffix in (".json", ".md"))
    assert "Ada" not in docs
    assert "Bob" not in docs
    kept = read_record(folder / SCORES, Scores)
    assert [score.case for score in kept.of_first()] == ["case 1", "case 2"]
    assert kept.patients == {"case 1": "patient 1", "case 2": "patient 2"}
    assert (kept.trust, kept.seen) == ({"lesion": {"case 1": "look"}}, ("case 2",))
    assert number_cases(kept) == kept
    assert not (folder / "docs" / FOLDER).exists()
    assert "| case 1 | lesion | 0.500 |" in (folder / CARD).read_text()


def test_pictures_come_along_where_they_are_wanted(folder: Path) -> None:
    evaluate(folder, "Ada", "Bob")
    write_card(folder, pictures=True)
    assert f"({FOLDER}/1.jpg)" in (folder / CARD).read_text()
    # Without its work folder, as it is handed on, the card is the same.
    shutil.rmtree(folder / "work")
    before = (folder / CARD).read_text()
    write_card(folder)
    assert (folder / CARD).read_text() == before


def test_statements_of_other_keys_are_refused_before_anything_is_written(folder: Path) -> None:
    (folder / FILE).write_text('{"user": "x"}')
    before = (folder / CARD).read_text()
    with pytest.raises(RecordError, match="'user' is unknown"):
        write_card(folder)
    assert (folder / CARD).read_text() == before
