import getpass
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medunet.errors import InputError, MissingInputError, OutputExistsError, ResourceError
from medunet.files import check_free, check_input, check_writable, whole_file, whole_folder


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with whole_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["f"]


def test_an_earlier_folder_is_kept_by_its_date(tmp_path: Path) -> None:
    day = 1_700_000_000  # 2023-11-14
    for text in ("first", "second", "third"):
        with whole_folder(tmp_path / "d", keep_earlier=True) as part:
            (part / "f").write_text(text)
        os.utime(tmp_path / "d", (day, day))
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "d", keep_earlier=True):
        raise RuntimeError
    found = {item.name: (item / "f").read_text() for item in tmp_path.iterdir()}
    assert found == {"d": "third", "d-2023-11-14": "first", "d-2023-11-14-2": "second"}


def test_a_folder_that_can_not_be_made_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ResourceError, match="can't be written"), whole_file(tmp_path / "f" / "g"):
        pass


def test_a_folder_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "d") as part:
        (part / "x").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "d") as part:
        (part / "x").write_text("")
    assert (tmp_path / "d" / "x").exists()
    with pytest.raises(OutputExistsError), whole_folder(tmp_path / "d"):
        pass


@contextmanager
def full_disk(limit: int = 1000) -> Iterator[None]:
    """Writing beyond `limit` bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with full_disk():
        with pytest.raises(ResourceError, match="f: it can't be written"), whole_file(tmp_path / "f") as part:
            part.write_bytes(bytes(5000))
        with pytest.raises(ResourceError, match="d: it can't be written"), whole_folder(tmp_path / "d") as part:
            (part / "x").write_bytes(bytes(5000))
    assert [item.name for item in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_an_output_is_free_where_nothing_is_and_files_can_be_made(tmp_path: Path) -> None:
    check_free(tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "f").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("f", "link", "."):
        with pytest.raises(OutputExistsError, match="it exists already"):
            check_free(tmp_path / name)
    with pytest.raises(InputError, match=f"^{tmp_path}/f/a: {tmp_path}/f is no folder; choose another one"):
        check_free(tmp_path / "f" / "a")
    with pytest.raises(InputError, match=rf"a/b: {tmp_path}/f is no folder"):
        check_writable(tmp_path / "f" / "a" / "b")


def test_a_folder_that_can_not_be_written_to_is_told_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:  # noqa: A002 - as tempfile calls it
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    user = getpass.getuser()
    said = f"{tmp_path} belongs to {tmp_path.owner()} and can't be written to by {user} (Permission denied)"
    with pytest.raises(ResourceError) as caught:
        check_free(tmp_path / "new" / "mask.nii.gz")
    assert str(caught.value).startswith(f"{tmp_path}/new/mask.nii.gz: {said}; choose another folder")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError) as caught:
        check_free(Path("out"))
    assert str(caught.value).startswith(f"out: {said}; choose another folder")
    monkeypatch.setattr(getpass, "getuser", lambda: {}["USER"])
    with pytest.raises(ResourceError, match=r": it can't be written to \(Permission denied\)"):
        check_writable(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_system_itself_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="can't be written to"):
        check_writable(Path("/proc/new"))


def test_what_can_not_be_read_from_is_told(tmp_path: Path) -> None:
    check_input(tmp_path)
    with pytest.raises(MissingInputError, match="no such file or folder"):
        check_input(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    for path in (Path(os.devnull), tmp_path / "pipe"):
        with pytest.raises(InputError, match="neither a file nor a folder"):
            check_input(path)
