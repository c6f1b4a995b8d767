import itertools
import random
import shutil
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series

from medunet.errors import InputError
from medunet.reading import Series, find_series, tabulate_series
from medunet.reading.rules import (
    ChannelRule,
    check_rules,
    explain_series,
    parse_condition,
    parse_rule,
    prefer_series,
    tell_reasons,
)


def tag(folder: Path, **values: object) -> Path:
    """Give all files of a series values of tags."""
    change(folder, lambda dataset, _: [setattr(dataset, name, value) for name, value in values.items()])
    return folder


def find_one(folder: Path) -> Series:
    (series,) = find_series(folder).series
    return series


@pytest.fixture
def lung(tmp_path: Path) -> Series:
    write_series(tmp_path / "a", make_grid("axial"))
    return find_one(
        tag(
            tmp_path / "a",
            SeriesDescription="THORAX Lung 3.0",
            SliceThickness=3,
            ConvolutionKernel=["B70f", "2"],
            ContrastBolusAgent="Iomeprol",
            ImageType=["DERIVED", "SECONDARY", "MPR"],
            SeriesNumber=4,
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            "modality=CT",
            "modality=MR|CT",
            "modality=ct",
            "description~lung",
            "description~^thorax",
            "description!~head",
        ),
        *("plane=axial", "plane!=oblique", "thickness<=3", "thickness>=3", "thickness=3", "spacing>2.9", "pixel<1.2"),
        *("kernel~B70", "kernel!~B30", "contrast=yes", "contrast!=no", "image_type=mpr", "image_type!=LOCALIZER"),
        *("slices>=6", "slices<7", "number=4", 'description~"0$"', "image_type~DERIVED.*MPR"),
    ],
)
def test_conditions_that_hold(lung: Series, text: str) -> None:
    assert explain_series(lung, ChannelRule(where=(text,)), "CT") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("thickness<3", "thickness is 3, not thickness<3"),
        ("description!~lung", "description is THORAX Lung 3.0, not description!~lung"),
        ("plane=coronal|sagittal", "plane is axial, not plane=coronal|sagittal"),
        ("contrast=no", "contrast is yes, not contrast=no"),
        ("image_type=ORIGINAL", r"image_type is DERIVED\SECONDARY\MPR, not image_type=ORIGINAL"),
        ("slices>100", "slices is 6, not slices>100"),
    ],
)
def test_conditions_that_do_not_hold_say_why(lung: Series, text: str, reason: str) -> None:
    assert explain_series(lung, ChannelRule(where=("modality=CT", text)), "CT") == reason


def test_all_reasons_are_told_and_what_headers_lack_is_none(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, _: dataset.__delattr__("SliceThickness"))
    series = find_one(tmp_path / "a")
    rule = ChannelRule(where=("thickness<=3", "kernel~B30", "kernel!~lung", "contrast=no"))
    assert explain_series(series, rule, "CT") == "thickness is none, not thickness<=3; kernel is none, not kernel~B30"
    assert explain_series(series, rule, "PT") == "modality is CT, not PT"


def test_a_rule_is_parsed() -> None:
    name, rule = parse_rule(' ct: modality=CT, thickness<=3,description!~"lung, thin", prefer=thinnest, prefer=latest ')
    assert (name, rule.prefer) == ("ct", ("thinnest", "latest"))
    assert rule.where == ("modality=CT", "thickness<=3", 'description!~"lung, thin"')
    assert parse_condition(rule.where[2]).values == ("lung, thin",)
    assert parse_rule("description~a:b")[0] == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ct: thikness<=3", "the key 'thikness' is unknown; did you mean 'thickness'?"),
        ("ct: thickness<=thin", "'thin' is no number"),
        ("ct: thickness~3", "'thickness' takes no ~; use one of <= >= < > ="),
        ("ct: description<3", "'description' takes no <"),
        ("ct: description~(a", r"'\(a' is no regular expression \(.*\)"),
        ("ct: plane=axal", "'axal' is no plane; did you mean 'axial'"),
        ("ct: thickness>5, thickness<=3", "no CT series fulfils thickness>5 and thickness<=3"),
        ("ct: slices>3, slices<=3", "no CT series fulfils"),
        ("ct: thickness<0", "no CT series fulfils thickness<0"),
        ("ct: modality=MR", "no CT series fulfils modality=MR"),
        ("ct: plane=axial, plane!=axial", "no CT series fulfils"),
        ("ctt: slices>3", "the bundle has no such channel; did you mean 'ct'"),
        ("ct: slices", "'slices' is no condition"),
        ("ct:", "it holds no condition"),
        ("ct: prefer=thin", "prefer=thin is no preference; did you mean 'thinnest'"),
        ('ct: description~""', "it is no condition"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        name, rule = parse_rule(text)
        check_rules({name: rule}, {"ct": "CT"}, "rule")
    assert "\n" not in str(caught.value)
    assert caught.value.code == "option-wrong"


def test_preferences_decide_in_turn_whatever_the_order(tmp_path: Path) -> None:
    tags = {"a": (5, 1), "b": (2, 2), "c": (2, 3), "d": (None, 4)}
    for name, (thickness, number) in tags.items():
        write_series(tmp_path / name, make_grid("axial", (6, 5, 3 + number)))
        tag(tmp_path / name, SliceThickness=thickness, SeriesNumber=number)
    found = sorted(find_series(tmp_path).series, key=lambda series: series.folder)
    for order in itertools.permutations(found):
        for prefer, left in {
            ("thinnest",): "bc",
            ("thinnest", "latest"): "c",
            ("thinnest", "earliest"): "b",
            ("thickest",): "a",
            ("most-slices",): "d",
            ("fewest-slices", "thinnest"): "a",
            (): "abcd",
        }.items():
            chosen = prefer_series(order, ChannelRule(prefer=prefer))
            assert sorted(Path(series.folder).name for series in chosen) == list(left)
    kept = prefer_series(found, ChannelRule(prefer=("thinnest", "latest")))
    told = tell_reasons(found, ChannelRule(), "CT", kept)
    assert list(told.values()) == [*["fits, but another one is preferred"] * 2, "fits", told[found[0].uid]]
    assert tabulate_series(found, told).count("another one is preferred") == 3


def test_names_and_order_of_files_decide_nothing(tmp_path: Path) -> None:
    """Slices that differ in a tag: the same one counts however files are called."""
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, n: setattr(dataset, "ConvolutionKernel", f"K{n}"))
    rule = ChannelRule(where=("kernel=none",))
    told = {explain_series(find_one(tmp_path / "a"), rule, "CT")}
    files = sorted((tmp_path / "a").iterdir())
    for seed in range(3):
        names = random.Random(seed).sample(range(len(files)), len(files))  # noqa: S311 - no secret
        place = tmp_path / f"b{seed}"
        place.mkdir()
        for file, name in zip(files, names, strict=True):
            shutil.copy(file, place / f"{name}.dcm")
        told.add(explain_series(find_one(place), rule, "CT"))
    assert len(told) == 1
