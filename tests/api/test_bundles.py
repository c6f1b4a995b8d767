"""Verbs about bundles take and give what they say."""

import json
import shutil
from pathlib import Path

import pytest
from plans import make_test_plan, write_test_bundle

import medunet
from medunet.errors import BundleError

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei_unet2d"


def test_an_audit_is_given_and_written(tmp_path: Path) -> None:
    found = medunet.audit_bundle(NUCLEI, report=tmp_path / "a.json", sarif=tmp_path / "a.sarif")
    assert found.count()["error"] == 0
    assert len(json.loads((tmp_path / "a.json").read_text())["entries"]) == len(found.entries)
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"


def test_a_check_gives_findings(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    shutil.rmtree(folder / "docs" / "selftest")
    (folder / "LICENSE").unlink()
    assert [item.code for item in medunet.check_bundle(folder) if item.severity == "error"] == ["bundle-incomplete"]


def test_a_selftest_is_written(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    assert medunet.write_selftest(folder, tries=1).voxels["object"] > 1000


def test_an_export_is_written(tmp_path: Path) -> None:
    (done,) = medunet.export_bundle(NUCLEI, tmp_path, ["torchscript"])
    assert done.file == tmp_path / "model.ts"
    assert done.difference < 1e-3


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"to": "onnx"}, "to is 'onnx', a str; give a list of"),
        ({"to": ["tflite"]}, "to is ['tflite']"),
        ({"to": ["onnx"], "scan": ""}, "scan is ''"),
    ],
)
def test_wrong_arguments_are_refused_by_name(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(medunet.InputError) as caught:
        medunet.export_bundle(NUCLEI, "out", **given)  # type: ignore[arg-type]
    assert sentence in str(caught.value)


def test_a_bundle_that_comes_with_medunet_is_taken_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert medunet.list_bundles()[0].folder == NUCLEI
    assert medunet.audit_bundle("nuclei_unet2d").files == medunet.audit_bundle(NUCLEI).files
    case = NUCLEI / "docs" / "selftest" / "images" / "case.png"
    (made,) = medunet.predict("nuclei_unet2d", case)
    assert made.objects
    assert made.confidence is not None
    assert not made.confidence.unknown  # it was validated, so that noise and contact are judged, too
    assert medunet.check(case, bundle="nuclei_unet2d") == medunet.check(case, bundle=NUCLEI)
    with pytest.raises(medunet.BundleError, match="medunet bundle list"):
        medunet.predict("nuclei", case)


def test_a_card_is_written_and_its_gaps_are_named(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())
    assert "annotators" in medunet.write_card(folder)
    assert "## Model card" in (folder / "docs" / "README.md").read_text()
    with pytest.raises(BundleError, match="it is no bundle of medunet"):
        medunet.write_card(tmp_path / "nowhere")
