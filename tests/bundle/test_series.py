import json
from pathlib import Path

import pytest
from plans import make_test_plan

from medunet.bundle import find_rules
from medunet.bundle.series import write_rules
from medunet.errors import InputError, RecordError

BOTH = make_test_plan(channels=("ct", "pet")).task


def test_what_is_written_says_what_holds_without_any(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    write_rules(tmp_path / "configs", BOTH)
    written = json.loads((tmp_path / "configs" / "series.json").read_text())
    assert written["channels"]["pet"] == {"where": ["modality=PT"], "prefer": []}
    assert find_rules(tmp_path, BOTH) == {}


def test_rules_of_a_user_add_up_and_replace_those_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    rules = {"ct": {"where": ["thickness<=2"]}, "pet": {"prefer": ["latest"]}}
    (tmp_path / "configs" / "series.json").write_text(json.dumps({"channels": rules}))
    found = find_rules(tmp_path, BOTH, ["ct: slices>20", "ct: plane=axial, prefer=thinnest"])
    assert found["ct"].where == ("slices>20", "plane=axial")
    assert (found["ct"].prefer, found["pet"].prefer) == (("thinnest",), ("latest",))
    assert find_rules(tmp_path, BOTH)["ct"].where == ("thickness<=2",)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"channels": {"mr": {}}}, "series.json: it has a rule for 'mr', but the bundle has no such channel"),
        ({"channels": {"ct": {"were": []}}}, "the key 'channels.ct.were' is unknown; did you mean 'where'"),
        ({"channels": {"ct": {"prefer": ["best"]}}}, "the key 'channels.ct.prefer.0'"),
        ({"channels": {"ct": {"where": ["thickness>3, slices<2"]}}}, "'thickness>3, slices<2': it is no condition"),
        ({"channels": {"ct": {"where": ["slices>9", "slices<9"]}}}, "no CT series fulfils slices>9 and slices<9"),
        ({"channels": {"pet": {"where": ["description~["]}}}, "of channel 'pet', .* no regular expression"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, rules: object, words: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "series.json").write_text(json.dumps(rules))
    with pytest.raises((InputError, RecordError), match=words):
        find_rules(tmp_path, BOTH)


def test_a_rule_for_several_channels_names_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it names no channel; write it like 'ct: slices>20'"):
        find_rules(tmp_path, BOTH, ["slices>20"])
    assert list(find_rules(tmp_path, make_test_plan().task, ["slices>20"])) == ["ct"]
