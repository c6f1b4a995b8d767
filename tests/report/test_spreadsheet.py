import csv
from pathlib import Path

from medunet.evaluation import CaseScore, Pairing, Scores
from medunet.report.spreadsheet import write_spreadsheet


def make_score(case: str, dice: float | None, **more: object) -> CaseScore:
    values = {"nsd": dice, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0, "false_found": 0}
    return CaseScore(case=case, label="tumor", dice=dice, **(values | {"false_ml": 0.0} | more))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_for_each_case_and_label(tmp_path: Path) -> None:
    cases = (make_score("one", 0.8, hd95_mm=3.25), make_score("two", None, truth_ml=0.0))
    write_spreadsheet(tmp_path / "s.csv", Scores(methods={"medunet": cases, "floor": cases}))
    rows = read(tmp_path / "s.csv")
    assert [(row["method"], row["case"]) for row in rows[1:3]] == [("medunet", "two"), ("floor", "one")]
    assert (rows[0]["dice"], rows[0]["hd95_mm"], rows[0]["outcome"], rows[0]["tolerance"]) == (
        "0.8",
        "3.25",
        "both",
        "2",
    )
    assert (rows[1]["dice"], rows[1]["outcome"]) == ("", "falsely_found")
    assert "patient" not in rows[0]
    assert "panoptic" not in rows[0]


def test_what_a_table_said_stands_beside(tmp_path: Path) -> None:
    pairing = Pairing(missing=("two",), columns={"one": {"site": "=cmd"}})
    methods = {"m": (make_score("one", 1.0), make_score("two", 0.0))}
    scores = Scores(objects=True, patients={"one": "P, the first"}, pairing=pairing, methods=methods)
    write_spreadsheet(tmp_path / "s.csv", scores)
    first, second = read(tmp_path / "s.csv")
    assert (first["patient"], first["site"], first["predicted"]) == ("P, the first", "=cmd", "yes")
    assert (second["patient"], second["site"], second["predicted"]) == ("", "", "no")
    assert "panoptic" in first
