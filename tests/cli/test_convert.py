from pathlib import Path

import numpy as np
import pytest
from commands import run
from dicoms import draw_balls, make_grid, write_series
from pydicom import dcmread

from medunet.labels import LabelTable
from medunet.reading import read_volume
from medunet.reading.labels.tables import read_labelling, read_nifti_table


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    """A mask of two labels, beside its series."""
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    mask = draw_balls(read_volume(tmp_path / "series").grid, ["liver", "GTV_1"])
    return mask.save(tmp_path / "m.nii.gz")


def test_there_and_back(
    nifti: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    series, out = tmp_path / "series", tmp_path / "out"
    assert run(monkeypatch, "convert", nifti, "--source", series, "--to", "seg", "-o", out) == 0
    said = capsys.readouterr()
    assert said.out == f"wrote {out / 'm.seg.dcm'}\n"
    assert "liver 0." in said.err
    assert "say it with --made-by" in said.err
    uid = dcmread(next(series.iterdir())).SeriesInstanceUID
    given = ("convert", out / "m.seg.dcm", "--source", series, "--series", uid, "--to", "nifti", "-o", out / "b.nii.gz")
    assert run(monkeypatch, *given) == 0
    assert np.array_equal(read_volume(out / "b.nii.gz").voxels, read_volume(nifti).voxels)
    assert run(monkeypatch, *given) == 2
    assert run(monkeypatch, *given, "--overwrite") == 0
    monkeypatch.chdir(out)
    assert run(monkeypatch, "convert", nifti, "--source", series, "--to", "rtstruct", "--made-by", "manual") == 0
    assert read_labelling(out / "m.rtstruct.dcm").algorithm.kind == "MANUAL"


def test_labels_are_names_or_a_file(nifti: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "convert", nifti, "--to", "nifti", "-o", tmp_path / "a.nii.gz", "--labels", "x, y") == 0
    assert read_nifti_table(tmp_path / "a.nii.gz") == LabelTable.from_names(["x", "y"])
    (tmp_path / "cohort.json").write_text('{"labels": ["p", "q"]}')
    given = ("--to", "nifti", "-o", tmp_path / "b.nii.gz", "--labels", tmp_path / "cohort.json")
    assert run(monkeypatch, "convert", nifti, *given) == 0
    assert read_nifti_table(tmp_path / "b.nii.gz") == LabelTable.from_names(["p", "q"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), "medunet convert: no format is given; add --to nifti, seg or rtstruct."),
        (
            ("--to", "seg-fractional"),
            "--to seg-fractional: it is made of what a network found, which a mask",
        ),
        (("--to", "segs"), "--to segs: there is no such choice; did you mean 'seg'"),
        (("--to", "seg", "--made-by", "me"), "--made-by me: there is no such choice"),
        (("--to", "seg"), "a DICOM seg comes from the series that it belongs to"),
        (("--to", "seg", "--source", ""), "a path is empty"),
        (("--to", "seg", "--source", "nowhere"), "nowhere: there is no such file or folder"),
        (("--to", "nifti", "--labels", "a,,b"), "a name is empty"),
        (("--to", "nifti", "--labels", "none.json"), "none.json: there is no such file"),
        (("--to", "nifti", "--labels", "a"), "label values 2, which the label table lacks"),
        (("--to", "seg", "--source", ".", "--series", ""), "the key 'series'"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    nifti: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "convert", nifti, "-o", tmp_path / "out", *given) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("medunet: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "out").exists()
