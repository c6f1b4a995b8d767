from pathlib import Path

import pytest

from medunet.cli.arguments import parse_fold, parse_gib, parse_minutes, parse_network
from medunet.errors import InputError


@pytest.mark.parametrize(("text", "minutes"), [("45m", 45), ("45", 45), ("1.5h", 90), ("90s", 1.5)])
def test_minutes(text: str, minutes: float) -> None:
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize(
    ("text", "gib"),
    [("8G", 8), ("8", 8), ("512M", 0.5), ("16GiB", 16), ("2 gib", 2), ("1T", 1024), ("4GB", 4e9 / 2**30)],
)
def test_gib(text: str, gib: float) -> None:
    assert parse_gib(text) == pytest.approx(gib)


def test_folds() -> None:
    assert (parse_fold("3"), parse_fold("all")) == (3, None)
    for text in ("", "-1", "one", "²"):
        with pytest.raises(InputError, match="or all"):
            parse_fold(text)


@pytest.mark.parametrize("text", ["", "soon", "-1m", "0", "nan", "infm", "8Q", "m", "1mm", "1e300"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--budget"):
        parse_minutes(text)
    with pytest.raises(InputError, match="--ram"):
        parse_gib(text)


def test_a_network_is_a_name_or_json(tmp_path: Path) -> None:
    wanted = {"_target_": "SegResNet", "init_filters": 16}
    text = '{"_target_": "SegResNet", "init_filters": 16}'
    (tmp_path / "network.json").write_text(text)
    assert parse_network("SegResNet") == {"_target_": "SegResNet"}
    assert parse_network(text) == parse_network(str(tmp_path / "network.json")) == wanted
    for wrong, said in (
        ('{"a": 1}', "names no _target_"),
        ("{", "no valid JSON"),
        ("no.json", "there is no such file"),
    ):
        with pytest.raises(InputError, match=said):
            parse_network(wrong)
