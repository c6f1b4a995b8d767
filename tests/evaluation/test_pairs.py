from pathlib import Path

import pytest

from medunet.errors import InputError, MissingInputError, RecordError
from medunet.evaluation.pairs import Pair, find_pairs, list_masks, strip_ending


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Empty folders of predictions and truth."""
    for name in ("p", "t"):
        (tmp_path / name).mkdir()
    return tmp_path / "p", tmp_path / "t"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_names_lose_their_endings(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, truth = folders
    touch(predictions, "a.seg.dcm", "b.NII", "d.png", "a.json", "a.measures.csv", "a.picture.png", ".hidden")
    touch(truth, "a.nii.gz", "b.nrrd", "c.mha")
    (truth / "e").mkdir()
    found = find_pairs(predictions, truth)
    assert found.pairs == (
        Pair("a", truth / "a.nii.gz", predictions / "a.seg.dcm"),
        Pair("b", truth / "b.nrrd", predictions / "b.NII"),
        Pair("c", truth / "c.mha"),
        Pair("e", truth / "e"),
    )
    assert found.unpaired == ("d",)
    (tmp_path / "i" / "b").mkdir(parents=True)
    touch(tmp_path / "i", "a_0000.nii.gz")
    images = [pair.image for pair in find_pairs(predictions, truth, tmp_path / "i").pairs]
    assert images == [tmp_path / "i" / "a_0000.nii.gz", tmp_path / "i" / "b", None, None]


def test_names_that_hold_dots_and_no_ending() -> None:
    names = ("1.2.840.dcm", "case.1.nii.gz", "IM0001", "a.rtstruct-inner.dcm")
    assert [strip_ending(name) for name in names] == ["1.2.840", "case.1", "IM0001", "a"]


def test_two_masks_of_one_name_are_refused(folders: tuple[Path, Path]) -> None:
    touch(folders[1], "a.nii.gz", "a.seg.dcm")
    with pytest.raises(InputError, match=r"a\.nii\.gz and a\.seg\.dcm are both of the case a; take one"):
        list_masks(folders[1])


def test_what_is_missing_or_said_twice_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, truth = folders
    with pytest.raises(MissingInputError, match="no such folder"):
        find_pairs(predictions, tmp_path / "nowhere")
    with pytest.raises(MissingInputError, match="it holds no mask"):
        find_pairs(predictions, truth)
    with pytest.raises(InputError, match="give --pred and --truth, or --table"):
        find_pairs(predictions, None)
    (tmp_path / "c.csv").write_text("case,pred,truth\na,p,t\n")
    with pytest.raises(InputError, match="and so do folders"):
        find_pairs(predictions, truth, table=tmp_path / "c.csv")


def test_a_table_names_masks_patients_and_subgroups(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, truth = folders
    touch(truth, "x.nii.gz", "y.nii.gz")
    touch(predictions, "z.nii.gz")
    (tmp_path / "c.csv").write_text(
        "Case;pred;Truth;patient;scanner\n1;p/z.nii.gz;t/x.nii.gz;P;old\n2;;t/y.nii.gz;P;new\n3;p/no;t/y.nii.gz;Q;\n"
    )
    found = find_pairs(None, None, table=tmp_path / "c.csv")
    assert found.pairs == (
        Pair("1", truth / "x.nii.gz", predictions / "z.nii.gz"),
        Pair("2", truth / "y.nii.gz"),
        Pair("3", truth / "y.nii.gz"),
    )
    assert found.patients == {"1": "P", "2": "P", "3": "Q"}
    assert found.columns["1"] == {"scanner": "old"}


def test_a_table_beside_folders_adds_what_it_says(folders: tuple[Path, Path], tmp_path: Path) -> None:
    touch(folders[0], "x.nii.gz")
    touch(folders[1], "x.nii.gz")
    (tmp_path / "c.csv").write_text("case,sex\nx,f\nother,m\n")
    found = find_pairs(*folders, table=tmp_path / "c.csv")
    assert found.columns["x"] == {"sex": "f"}
    assert [pair.case for pair in found.pairs] == ["x"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,pred,truth\n", "it has no column 'case'"),
        ("case,pred\n", "one of the columns 'pred' and 'truth'"),
        ("case,pred,truth,a,a\n", "two of its columns are called 'a'"),
        ("case,pred,truth\n1,a,b\n1,a,b\n", "line 3: the case 1 stands there twice"),
        ("case,pred,truth\n,a,b\n", "its column 'case' is empty"),
        ("case,pred,truth\n1,a,\n", "the case 1 has no truth"),
        ("case,pred,truth\n", "it lists no case"),
    ],
)
def test_wrong_tables_are_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(RecordError, match=sentence):
        find_pairs(None, None, table=tmp_path / "c.csv")


def test_a_table_says_what_was_looked_for(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, truth = folders
    touch(truth, "a.nii.gz", "b.nii.gz", "c.nii.gz")
    (tmp_path / "c.csv").write_text("case,Contoured,scanner\na,liver tumor,A\nb,left lung|right lung,B\n")
    found = find_pairs(predictions, truth, None, tmp_path / "c.csv")
    assert [pair.contoured for pair in found.pairs] == [("liver", "tumor"), ("left lung", "right lung"), None]
    assert found.columns == {"a": {"scanner": "A"}, "b": {"scanner": "B"}}
