from html.parser import HTMLParser
from typing import Any

from medunet.calibration import Bin, Calibration, Curve, StructureCalibration
from medunet.confidence import Trust
from medunet.evaluation import CaseScore, Scores
from medunet.report.reliability import write_reliability, write_trust

EVIL = "<b>&"


class Balance(HTMLParser):
    """Checks that tags are balanced, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.dots = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.dots += tag == "circle"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> tuple[Balance, str]:
    found = Balance()
    found.feed(html)
    found.close()
    assert not found.open
    return found, " ".join(" ".join(found.text).split())


def make_curve(ece: float, *counts: int) -> Curve:
    bins = tuple(Bin(count=count, probability=0.1 + 0.2 * n, share=0.2 * n) for n, count in enumerate(counts))
    return Curve(count=sum(counts), ece=ece, bins=bins)


def make_record(name: str, lesions: Curve) -> Calibration:
    before, after = make_curve(0.1234, 80, 20), make_curve(0.0456, 70, 30)
    item = StructureCalibration(voxels_before=before, voxels_after=after, lesions_before=lesions, lesions_after=lesions)
    return Calibration(
        weights=("w",),
        temperature=1.5,
        cases=7,
        voxels=100,
        others=(1.4, 1.6),
        likelihood_before=0.25,
        likelihood_after=0.125,
        structures={name: item},
    )


def make_scores(words: dict[str, Trust], dices: dict[str, float | None]) -> Scores:
    held: dict[str, Any] = {"nsd": None, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0}
    held |= {"false_found": 0, "false_ml": 0}
    cases = tuple(CaseScore(case=case, label=EVIL, dice=dice, **held) for case, dice in dices.items())
    return Scores(methods={"medunet": cases}, trust={EVIL: words})


SCORES = make_scores({}, {"a": 0.5})


def test_curves_before_and_after_stand_beside_their_errors_and_counts() -> None:
    found, text = read(write_reliability(make_record(EVIL, make_curve(0.2, 3, 2)), SCORES))
    assert "temperature 1.5, fitted on 7 held-out cases" in text
    assert "1.4 to 1.6" in text
    assert "0.2500 before and 0.1250 after" in text
    assert "voxels 100 0.123 0.046" in text
    assert "lesions 5 0.200 0.200" in text
    assert "Fewer than 100 lesions" in text
    assert EVIL in text
    assert found.dots == 4 + 4


def test_what_is_not_there_has_no_curve() -> None:
    found, text = read(write_reliability(make_record("a", Curve(count=0, ece=None)), SCORES))
    assert "lesions 0 – –" in text
    assert found.dots == 4
    assert "Fewer than" not in text
    assert write_reliability(None, SCORES) == ""
    objects = SCORES.model_copy(update={"unit": "px", "objects": True})
    assert "objects 0" in read(write_reliability(make_record("a", Curve(count=0, ece=None)), objects))[1]


def test_words_of_trust_beside_bad_masks() -> None:
    words: dict[str, Trust] = {"a": "look", "b": "look", "c": "as trained", "d": "as trained"}
    scores = make_scores(words, {"a": 0.5, "b": 0.8, "c": 0.7, "d": None, "e": 0.1})
    _, text = read(write_trust(scores))
    assert "as trained 1 0 0% 0% to 79% 1" in text
    assert "look 2 1 50% 9% to 91% 1" in text
    assert "outside training 0 0 – – 0" in text
    assert write_trust(SCORES) == ""
