import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medunet.errors import OutputExistsError, ResourceError
from medunet.files import whole_file, whole_folder


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
