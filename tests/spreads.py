"""Scores of two folds, one of whose patients has two cases, and one no lesion."""

from medunet.cohort import Case, Channel
from medunet.evaluation import CaseScore, Scores


def make_case(name: str, patient: str) -> Case:
    return Case(id=name, patient=patient, channels={"ct": Channel(path="x")})


def make_score(case: str, dice: float | None) -> CaseScore:
    held = {"truth_ml": 0.0 if dice is None else 5.0, "predicted_ml": 4.0, "false_ml": 0.0}
    return CaseScore(case=case, label="tumor", dice=dice, nsd=dice, found=1, missed=0, false_found=0, **held)


FOLDS = [[make_case("a1", "a"), make_case("a2", "a"), make_case("b", "b")], [make_case("c", "c"), make_case("d", "d")]]
DICE = {"a1": 0.2, "a2": 0.6, "b": 0.8, "c": 0.6, "d": None}
SCORES = Scores(methods={"medunet": tuple(make_score(*pair) for pair in DICE.items())})
