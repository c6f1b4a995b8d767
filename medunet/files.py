"""Files and folders that appear whole or not at all, and the hash of a file."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medunet.errors import OutputExistsError, ResourceError

PathLike = str | os.PathLike[str]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, which is renamed to it when the block ends without an error.

    The folder is made if it isn't there. A file that exists is replaced: who must not replace it calls
    `check_free` first.

    Raises:
        ResourceError: the disk is full or the folder can't be written to.
    """
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        if isinstance(error, ResourceError) or getattr(error, "remedy", None):
            raise
        raise ResourceError(
            path, f"it can't be written ({error.strerror or error})", "make room or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which is renamed to it when the block ends without an error.

    Raises:
        OutputExistsError: `path` exists.
        ResourceError: the disk is full or the folder can't be written to.
    """
    check_free(path)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(path)
    except OSError as error:
        if getattr(error, "remedy", None):
            raise
        raise ResourceError(
            path, f"it can't be written ({error.strerror or error})", "make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_free(path: Path) -> None:
    """Check that nothing would be overwritten.

    Raises:
        OutputExistsError: `path` exists.
    """
    if path.exists():
        raise OutputExistsError(path, "it exists already", "choose another output or remove it first")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
