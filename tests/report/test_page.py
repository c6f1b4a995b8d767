import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medunet.errors import ResourceError
from medunet.evaluation.pairing import Pairing, Refused
from medunet.evaluation.scores import CaseScore, Scores
from medunet.report.drawings import CasePicture
from medunet.report.page import Shown, choose_pictures, make_page, write_report

VOID = {"meta", "img"}
EVIL = "<script>alert('x')</script> & \"co\""


class Reader(HTMLParser):
    """Checks that tags are balanced, and collects text, attributes and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.text, self.tags, self.sources = [], [], [], []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> tuple[Reader, str]:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader, " ".join(" ".join(reader.text).split())


def make_score(case: str, dice: float | None, label: str = "tumor", **more: float | None) -> CaseScore:
    values = {"nsd": dice, "truth_ml": 12.34, "predicted_ml": 4.567, "found": 3, "missed": 2, "false_found": 7}
    return CaseScore(case=case, label=label, dice=dice, **(values | {"false_ml": 0.0} | more))


@pytest.fixture
def scores() -> Scores:
    absent = {"truth_ml": 0.0, "found": 0, "missed": 0}
    return Scores(
        methods={
            "medunet": (
                make_score("one", 0.8),
                make_score("two", 0.6123),
                make_score("three", None, **absent, false_ml=4.567),
                make_score("four", None, **absent, predicted_ml=0.0, false_found=0),
                make_score("five", 0.0, predicted_ml=0.0, found=0, missed=5),
            ),
            "ellipsoid": tuple(
                make_score(case, dice, **({} if dice else absent))
                for case, dice in (("one", 0.5), ("two", 0.7), ("three", None), ("four", None), ("five", 0.3))
            ),
        }
    )


def test_page_holds_the_numbers_with_floors_beside_them(scores: Scores) -> None:
    _, text = read(make_page("A title", scores, Shown(), {"Cohort": "5 cases"}))
    assert "medunet on 5 cases, beside ellipsoid on the same cases." in text
    for number in ("0.471", "0.500", "0.800", "0.612", "0.700", "12.3", "4.57"):
        assert number in text
    assert "higher Dice than ellipsoid in 1 of 3 cases" in text
    assert "-0.029 on average (-0.300 to +0.300)" in text
    assert "NSD 2 mm" in text
    assert "Cohort 5 cases" in text


def test_empty_masks_are_said_in_words(scores: Scores) -> None:
    _, text = read(make_page("A title", scores, Shown(), {}))
    for words in ("not there, but found", "not there, not found", "missed entirely"):
        assert words in text


def test_a_label_that_no_case_holds_has_no_dice() -> None:
    absent = make_score("one", None, truth_ml=0.0, predicted_ml=0.0)
    reader, text = read(make_page("A title", Scores(methods={"medunet": (absent,)}), Shown(), {}))
    assert "No case holds this label" in text
    assert "no floor was computed" in text
    assert "svg" not in reader.tags


def test_everything_is_escaped() -> None:
    scores = Scores(methods={EVIL: (make_score(EVIL, 0.5, EVIL),), EVIL + "2": (make_score(EVIL, 0.4, EVIL),)})
    picture = CasePicture(EVIL, Image.new("RGB", (4, 4)))
    page = make_page(EVIL, scores, Shown([picture]), {EVIL: EVIL})
    reader, text = read(page)
    assert "script" not in reader.tags
    assert "<script" not in page
    assert text.count("alert('x')") > 10


def test_pictures_are_inside_and_nothing_is_loaded(scores: Scores) -> None:
    picture = CasePicture("Case one, Dice 0.8", Image.new("RGB", (40, 20), (255, 0, 0)))
    reader, text = read(make_page("A title", scores, Shown([picture]), {}))
    (source,) = reader.sources
    head, data = source.split(",")
    assert head == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.size == (40, 20)
    assert np.abs(np.asarray(image, dtype=int) - (255, 0, 0)).max() < 8
    assert "Case one, Dice 0.8" in text
    assert not {"script", "link", "iframe"} & set(reader.tags)


def test_page_fits_a_phone_and_the_dark(scores: Scores) -> None:
    page = make_page("A title", scores, Shown(), {})
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count('class="scroll"') == page.count("<table>") == 4


def test_a_speck_is_not_shown_as_nothing() -> None:
    _, text = read(
        make_page("A title", Scores(methods={"medunet": (make_score("one", 0.5, false_ml=0.003),)}), Shown(), {})
    )
    assert "< 0.01" in text


def test_images_without_a_size_are_in_pixels(scores: Scores) -> None:
    _, text = read(make_page("A title", scores.model_copy(update={"unit": "px"}), Shown(), {}))
    assert "NSD 2 px" in text
    assert "voxels truth" in text
    assert "mL" not in text


def test_report_is_written_whole(tmp_path: Path, scores: Scores) -> None:
    target = tmp_path / "new" / "report.html"
    write_report(target, "Ä title", scores, Shown(), {})
    write_report(target, "Ä title", scores, Shown(), {})
    assert "<h1>Ä title</h1>" in target.read_text(encoding="utf-8")
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]
    with pytest.raises(ResourceError, match="can't be written"):
        write_report(tmp_path / "new", "title", scores, Shown(), {})


def test_objects_are_told_by_their_precision() -> None:
    score = make_score("one", 0.9, precision=0.612, precision_50=0.834)
    methods = {"medunet": (score,), "components": (score.model_copy(update={"precision": 0.4}),)}
    _, text = read(make_page("nuclei", Scores(unit="px", objects=True, methods=methods), Shown(), {}))
    for words in ("AP of objects", "0.612", "0.834", "AP case by case", "Objects found", "a higher AP than components"):
        assert words in text


def test_the_overview_of_many_cases_goes_from_the_lowest_to_the_highest() -> None:
    dices = {f"case {n}": (n * 7 % 20) / 20 for n in range(20)}
    scored = [make_score(case, dice) for case, dice in dices.items()]
    scores = Scores(methods={"medunet": (*scored, make_score("empty", None))})
    pictures = [CasePicture(caption=case, image=Image.new("RGB", (8, 8))) for case in ["empty", *dices]]
    shown = [picture.caption for picture in choose_pictures(scores, pictures)]
    assert len(set(shown)) == 8
    assert dices[shown[0]] == 0.0
    assert [dices[case] for case in shown[:-1]] == sorted(dices[case] for case in shown[:-1])
    assert shown[-1] == "empty"
    assert choose_pictures(scores, pictures[:3]) == pictures[:3]


def test_what_is_missing_and_sizes_stand_on_the_page(scores: Scores) -> None:
    refused = Refused(case=EVIL, code="label-grid", reason=f"{EVIL}: it lies elsewhere.")
    pairing = Pairing(missing=("five",), unpaired=(EVIL,), refused=(refused,), left_out=("values 7, in 1 case",))
    more = {"iou": 0.5, "sensitivity": 0.7, "voxel_precision": 0.6, "hd95_mm": 12.345, "assd_mm": 2.5}
    cases = tuple(
        score.model_copy(update={**more, "volume_error": -0.25, "found_ml": (0.05, 3.0), "missed_ml": (0.5,)})
        for score in scores.methods["medunet"]
    )
    given = Scores(pairing=pairing, tolerances_mm={"tumor": 1.5}, methods={"prediction": cases})
    page = make_page("A title", given, Shown(), {})
    reader, text = read(page)
    assert "script" not in reader.tags
    for said in (
        "no floor was computed",
        "Without a prediction, so that they count as missed: five",
        "Without a truth, so that they count for nothing",
        "it lies elsewhere.",
        "Left out: values 7, in 1 case",
        "NSD 1.5 mm",
        "12.35",
        "-25.0 %",
        "below 0.1 mL",
        "0.1 to 1 mL",
        "Only 3 of 5 cases hold this label",
        "prediction over cases",
    ):
        assert said in text, said
    assert "Floors" not in text
