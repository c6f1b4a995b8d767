from dataclasses import replace

from medunet.calibration import Bin, Calibration, Curve, StructureCalibration
from medunet.evaluation import CaseScore, Scores
from medunet.handover.card_sections import MANY, MISSING, Facts, list_sections, write_rows
from medunet.handover.statements import Statements
from medunet.planning import Teacher, TimedScan


def make_score(case: str, dice: float | None, label: str = "GTV_Mass_CT", **more: float) -> CaseScore:
    held = {"nsd": dice, "truth_ml": 1234.5, "predicted_ml": 500.0, "found": 1, "missed": 1, "false_found": 2}
    return CaseScore(case=case, label=label, dice=dice, **(held | {"false_ml": 1.0} | more))  # type: ignore[arg-type]


def write(facts: Facts) -> dict[str, str]:
    return {title: "\n".join(lines) for title, lines in list_sections(facts)}


def test_what_is_not_there_is_missing_and_what_people_said_stands_there(facts: Facts) -> None:
    found = write(facts)
    for title in ("Results", "Failures", "Probabilities"):
        assert MISSING in found[title]
    assert f"- users: {MISSING} (who is to use it" in found["Intended use"]
    assert f"{MISSING} (`users`)" in found["Checklists"]
    found = write(replace(facts, statements=Statements(users="two\nradiologists")))
    assert "- users: two radiologists" in found["Intended use"]
    assert "| users | 41 | 15d | description | said above |" in found["Checklists"]


def test_device_data_plan_and_protocol_are_those_of_the_records(facts: Facts) -> None:
    found = write(facts)
    assert "model_fold0.pt " in found["Device"]
    assert "ct (CT in HU), pet (PT in SUVbw)" in found["Device"]
    assert "38 cases, as they were measured:" in found["Data"]
    assert "| GTV_Mass_CT, mL (38 cases hold it) |" in found["Data"]
    assert "- loss: Dice and cross-entropy" in found["How it was planned"]
    assert "38 cases were held out, each from the one network that is scored on it" in found["Protocol"]
    assert "| ordinary | 38 | 7 | 18% (9% to 33%) |" in found["Robustness"]


def test_a_student_says_who_taught_it_and_what_both_take(facts: Facts) -> None:
    assert "student" not in write(facts)["Protocol"]
    plan = facts.bundle.plan
    teacher = Teacher(name="large", version="2.0", weights_sha256="ab" * 32, weight=0.5, unlabelled=7)
    scan = TimedScan(
        shape=(512, 512, 300),
        spacing_mm=(0.8, 0.8, 1.0),
        wanted_seconds=10,
        foreseen_seconds=9,
        seconds=9.5,
        teacher_seconds=40,
        network_seconds=5,
        teacher_network_seconds=35,
        computed="by torch in float32",
        cores=2,
    )
    taught = plan.change(training={"teacher": teacher}, foreseen={"scan": scan})
    said = write(replace(facts, bundle=replace(facts.bundle, plan=taught)))["Protocol"]
    assert "a student of large 2.0 (weights abababababab…)" in said
    assert "with the weight 0.5; of 7 unlabelled scans these alone" in said
    assert "512 × 512 × 300 voxels of 0.8 × 0.8 × 1 mm: 10 s wanted, 9 s foreseen, 9.5 s measured" in said
    assert "one network of the teacher 40 s (35 s), by torch in float32, on 2 cores" in said


def test_results_have_intervals_and_failures_say_what_went_wrong(facts: Facts) -> None:
    cases = [make_score(f"c{n}", 0.5 + 0.04 * n) for n in range(9)]
    missed = make_score("gone", 0.0, predicted_ml=0.0, found=0, missed=2, false_found=0)
    scores = Scores(methods={"medunet": (*cases, missed)}, trust={"GTV_Mass_CT": {"gone": "look"}})
    found = write(replace(facts, scores=scores, pictures=("failures/1.jpg",)))
    assert "**GTV_Mass_CT**, 10 of 10 cases hold it:" in found["Results"]
    assert "| Dice | 10 | 0.594 |" in found["Results"]
    assert "- lesions: 9 found, 11 missed, 18 falsely found" in found["Results"]
    lines = found["Failures"].splitlines()
    assert lines[4] == "| gone | GTV_Mass_CT | 0.000 | 1,234, 0 | look | nothing was found |"
    assert lines[5].endswith("| – | 0.4 times the volume, 1 of 2 missed, 2 falsely found |")
    assert "![1, gone: truth in green-blue, prediction in orange](failures/1.jpg)" in found["Failures"]
    assert "10 patients, and below 50 intervals hold less often than they say" in found["Limits"]


def test_many_labels_have_a_line_each(facts: Facts) -> None:
    labels = [f"organ {n}" for n in range(MANY + 1)]
    cases = [make_score(f"c{n}", 0.5 + 0.1 * n, label) for n in range(3) for label in labels]
    found = write(replace(facts, scores=Scores(methods={"medunet": tuple(cases)})))
    assert found["Results"].count("| organ ") == MANY + 1
    assert "**organ" not in found["Results"]
    assert found["Failures"].count("| c0 |") == 3


def test_probabilities_before_and_after(facts: Facts) -> None:
    before, after = (Curve(count=9, ece=ece, bins=(Bin(count=9, probability=0.4, share=0.5),)) for ece in (0.2, 0.1))
    none = Curve(count=0, ece=None)
    item = StructureCalibration(voxels_before=before, voxels_after=after, lesions_before=none, lesions_after=none)
    record = Calibration(
        weights=("w",),
        temperature=1.25,
        cases=3,
        voxels=9,
        others=(1.2,),
        likelihood_before=0.5,
        likelihood_after=0.25,
        structures={"a": item},
    )
    said = write(replace(facts, calibration=record))["Probabilities"]
    assert "temperature 1.25, fitted on 3 held-out cases" in said
    assert "| a | voxels | 9 | 0.200 | 0.100 |" in said
    assert "| a | predicted parts | 0 | – | – |" in said


def test_a_sign_that_parts_columns_is_written_otherwise() -> None:
    assert list(write_rows(("a",), [["x|y"]])) == ["| a |", "|---|", "| x&#124;y |"]
    assert list(write_rows(("a",), [])) == []
