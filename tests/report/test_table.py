from spreads import FOLDS, SCORES

from medunet.evaluation import CaseScore, Pairing, Refused, Scores, summarize_folds
from medunet.report import describe_scores, write_spread, write_table

SCORE = CaseScore(
    case="a", label="nucleus", dice=0.9, nsd=0.8, truth_ml=1234, predicted_ml=1200, found=3, missed=1, false_found=2,
    false_ml=40,
)  # fmt: skip


def test_pictures_are_measured_in_pixels_and_volumes_in_millimetres() -> None:
    methods = {"medunet": (SCORE,), "threshold": (SCORE.model_copy(update={"dice": None, "nsd": None}),)}
    pixels = write_table(Scores(unit="px", methods=methods)).splitlines()
    assert "NSD 2px" in pixels[0]
    assert pixels[0].endswith("false px")
    assert pixels[1].split() == ["nucleus", "medunet", "1/1", "0.900", "0.800", "-", "3", "1", "2", "40"]
    assert pixels[2].split()[3:5] == ["-", "-"]
    assert "mm" not in "".join(pixels)
    assert "mL" not in "".join(pixels)
    volumes = write_table(Scores(methods=methods))
    assert "NSD 2mm" in volumes
    assert "lesions and mL over all" in volumes


def test_each_label_says_over_how_many_cases_its_means_are() -> None:
    rare = SCORE.model_copy(update={"label": "rare", "dice": None, "nsd": None, "truth_ml": 0.0, "predicted_ml": 0.0})
    lines = write_table(Scores(methods={"medunet": (SCORE, rare)})).splitlines()
    assert [line.split()[2] for line in lines[1:3]] == ["1/1", "0/1"]


def test_objects_have_their_precision() -> None:
    score = SCORE.model_copy(update={"precision": 0.61, "precision_50": 0.8})
    lines = write_table(Scores(unit="px", objects=True, methods={"medunet": (score,)})).splitlines()
    assert lines[0].split()[:6] == ["label", "method", "cases", "AP", "AP", "0.5"]
    assert lines[1].split()[:6] == ["nucleus", "medunet", "1/1", "0.610", "0.800", "0.900"]
    assert "objects and px over all" in lines[2]
    assert "TP / (TP + FP + FN)" in lines[3]


def test_the_table_has_a_line_a_label() -> None:
    lines = write_spread(summarize_folds(SCORES, FOLDS)).splitlines()
    assert lines[1].split()[:8] == ["tumor", "3", "0.600", "±", "0.200", "0.400", "0.600", "±"]
    assert lines[1].endswith("0.200  0.600 (2) 0.600 (1)")
    assert "Dice of each fold" in describe_scores(SCORES, FOLDS)
    assert "Dice of each fold" not in describe_scores(SCORES, FOLDS[:1])


def test_labels_that_few_of_many_cases_hold_are_told() -> None:
    cases = [SCORE.model_copy(update={"case": str(n)}) for n in range(6)]
    absent = {"label": "rare", "dice": None, "nsd": None, "truth_ml": 0.0}
    rare = [score.model_copy(update=absent if n else {"label": "rare"}) for n, score in enumerate(cases)]
    last = write_table(Scores(methods={"m": (*cases, *rare)})).splitlines()[-1]
    assert last == "held by fewer than 5 cases, so that their means say little: rare (1)"
    assert "fewer than" not in write_table(Scores(methods={"m": tuple(cases)}))


def test_what_is_missing_is_listed() -> None:
    refused = Refused(case="c", code="label-grid", reason="it lies elsewhere.")
    pairing = Pairing(missing=("a", "b"), unpaired=("z",), refused=(refused,), left_out=("values 7, in 1 case",))
    text = write_table(Scores(methods={"m": (SCORE,)}, pairing=pairing, tolerances_mm={"nucleus": 1.0}))
    for line in (
        "NSD at 2 mm, but nucleus 1 mm",
        "no prediction, counted as missed (2): a, b",
        "no truth, not scored (1): z",
        "not scored: c: it lies elsewhere.",
        "left out: values 7, in 1 case",
    ):
        assert line in text.splitlines()
