import logging
import os
import stat
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest
from dicoms import make_grid, write_series

from medunet import archives
from medunet.archives import unpack_archives, unpack_beside
from medunet.errors import InputError, OutputExistsError, ResourceError
from medunet.reading import read_volume


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked, and nothing else lies."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pack(path: Path, **files: bytes) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zipped_series_is_read_and_its_folder_removed(
    tmp_path: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    voxels = write_series(tmp_path / "CT", make_grid())
    with ZipFile(tmp_path / "scan ü.ZIP", "w") as archive:
        for file in (tmp_path / "CT").iterdir():
            archive.write(file, f"study/a/{file.stem}")
        archive.writestr("__MACOSX/study/._0001", b"x")
    other = tmp_path / "CT"
    with unpack_archives([tmp_path / "scan ü.ZIP", other]) as (folder, same):
        assert same is other
        assert folder.name == "scan ü"
        assert [item.name for item in folder.iterdir()] == ["a"]
        assert folder.is_relative_to(temporary)
        assert np.array_equal(read_volume(folder).voxels[0], voxels)
    assert list(temporary.iterdir()) == []
    assert "scan ü.ZIP: 6 files of 0 MB are unpacked into a temporary folder, which is removed" in caplog.text


def test_an_unpacked_cohort_stays_with_its_bundle_unless_that_fails(tmp_path: Path, temporary: Path) -> None:
    archive, bundle = pack(tmp_path / "a.zip", **{"top/b/1": b"x"}), tmp_path / "bundle"
    with pytest.raises(ZeroDivisionError), unpack_beside(archive, bundle) as folder:
        assert (folder / "b" / "1").read_bytes() == b"x"
        raise ZeroDivisionError
    assert sorted(tmp_path.iterdir()) == [archive, temporary]
    with unpack_beside(archive, bundle):
        pass
    assert (tmp_path / "bundle.scans" / "b" / "1").is_file()
    with pytest.raises(OutputExistsError, match=r"bundle\.scans"), unpack_beside(archive, bundle):
        pass
    bundle.mkdir()
    with unpack_beside(bundle, tmp_path / "other") as same:
        assert same is bundle


def make_link(path: Path) -> None:
    item = ZipInfo("link")
    item.create_system, item.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with ZipFile(path, "w") as archive:
        archive.writestr(item, "/")


def encrypt(path: Path) -> None:
    pack(path, a=b"x")
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    path.write_bytes(content)


def damage(path: Path) -> None:
    pack(path, a=bytes(range(256)) * 9)
    content = bytearray(path.read_bytes())
    content[40] ^= 255
    path.write_bytes(content)


def overlap(path: Path) -> None:
    """Forty names for one file, whose declared sizes are far above that of the archive."""
    pack(path, a=bytes(10**6))
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry, tail = content[start:end], bytearray(content[end:])
    struct.pack_into("<HHI", tail, 8, 40, 40, 40 * len(entry))
    entries = b"".join(entry.replace(b"a", bytes([65 + n]), 1) if entry[46:47] == b"a" else entry for n in range(40))
    path.write_bytes(content[:start] + entries + tail)


def pack_twice(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("a", b"x")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"y")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: pack(path, **{"../x": b"x"}), "'../x', which leads out of it"),
        (lambda path: pack(path, **{"a/../../x": b"x"}), "which leads out of it"),
        (lambda path: pack(path, **{"..\\x": b"x"}), "which leads out of it"),
        (lambda path: pack(path, **{"/etc/x": b"x"}), "'/etc/x', which leads out of it"),
        (lambda path: pack(path, **{"C:/x": b"x"}), "which leads out of it"),
        (make_link, "'link', which is a link or no file"),
        (encrypt, "it is encrypted"),
        (damage, "it is damaged and can't be read"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "it is damaged and can't be read"),
        (pack, "it is an empty archive"),
        (lambda path: pack(path, a=bytes(10**7)), r"it would grow from 0.0\d+ to 10 MB"),
        (overlap, r"it would grow from 0.0\d+ to 40 MB"),
        (pack_twice, "it holds 'a' twice"),
        (lambda path: pack(path, a=b"x", **{"a/b": b"y"}), "it can't be unpacked"),
    ],
)
def test_what_should_not_be_unpacked_is_refused(
    tmp_path: Path, temporary: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "x.zip"
    make(path)
    before = sorted(item.name for item in tmp_path.iterdir())
    with pytest.raises((InputError, ResourceError), match=words) as caught, unpack_archives([path]):
        pass
    assert "\n" not in str(caught.value)
    assert list(temporary.iterdir()) == []
    assert sorted(item.name for item in tmp_path.iterdir()) == before


def test_files_and_room_are_counted_first(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", a=os.urandom(500), b=b"x")
    monkeypatch.setattr(archives, "FILES", 1)
    with pytest.raises(InputError, match="it holds 2 files"), unpack_archives([path]):
        pass
    monkeypatch.setattr(archives, "FILES", 2)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(ResourceError, match="name another folder by TMPDIR"), unpack_archives([path]):
        pass
    assert list(temporary.iterdir()) == []
