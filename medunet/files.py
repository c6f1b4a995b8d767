"""Files and folders that appear whole or not at all, and the hash of a file."""

import getpass
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from medunet.errors import InputError, MissingInputError, OutputExistsError, ResourceError

LOGGER = logging.getLogger(__name__)
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
        LOGGER.debug("wrote %s", path)
    except OSError as error:
        if isinstance(error, ResourceError) or getattr(error, "remedy", None):
            raise
        found = f"it can't be written ({error.strerror or error})"
        raise ResourceError(path, found, "make room or choose another folder") from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_folder(path: Path, *, keep_earlier: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which is renamed to it when the block ends without an error.

    Args:
        path: of the folder.
        keep_earlier: a folder that is there gets the date of its making behind its name, when the new one is whole.

    Raises:
        OutputExistsError: `path` exists, and isn't to be kept.
        ResourceError: the disk is full or the folder can't be written to.
    """
    if not keep_earlier:
        check_free(path)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        part.mkdir(parents=True)
        yield part
        if keep_earlier and os.path.lexists(path):
            LOGGER.info("%s of before is kept as %s", path.name, _date(path).name)
        part.rename(path)
        LOGGER.debug("wrote %s", path)
    except OSError as error:
        if getattr(error, "remedy", None):
            raise
        raise ResourceError(
            path, f"it can't be written ({error.strerror or error})", "make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _date(path: Path) -> Path:
    """Rename a folder by the day of its last change, and a number where there is one of that day."""
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    names = (f"{path.name}-{day}{f'-{number}' if number > 1 else ''}" for number in count(1))
    target = next(place for name in names if not os.path.lexists(place := path.with_name(name)))
    return path.rename(target)


def check_free(path: Path) -> None:
    """Check, before anything is computed for it, that a file or folder of this name can be made.

    Raises:
        OutputExistsError: `path` exists, so it would be overwritten.
        InputError: a file stands where its folder should be.
        ResourceError: its folder can't be written to.
    """
    if os.path.lexists(path):
        raise OutputExistsError(path, "it exists already", "choose another output or remove it first")
    check_writable(path.parent, path)


def check_writable(folder: Path, output: Path | None = None) -> None:
    """Check that files can be made in a folder, or that itself can be made where it isn't there.

    Args:
        folder: of the output.
        output: a file or folder in it, which messages are about; the folder itself if not given.

    Raises:
        InputError: it is a file, or would lie in one.
        ResourceError: it can't be written to.
    """
    place = folder.absolute()
    place = next(item for item in (place, *place.parents) if os.path.lexists(item))
    subject = output or folder
    which = "it" if place == subject.absolute() else str(place)
    if not place.is_dir():
        raise InputError(subject, f"{which} is no folder", "choose another one")
    try:
        # Asking for permissions isn't enough: the disk may be read-only, and to some systems nobody is forbidden.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        found = f"{which} {_name_owner(place)} ({error.strerror or error})"
        raise ResourceError(subject, found, "choose another folder, or ask for the right to write there") from None


def _name_owner(folder: Path) -> str:
    """That a folder can't be written to; whose it is and who we are, as far as the system says so."""
    try:
        return f"belongs to {folder.owner()} and can't be written to by {getpass.getuser()}"
    # The names of users aren't everywhere: NotImplementedError on Windows, KeyError in containers.
    except (OSError, KeyError, NotImplementedError, ImportError):
        return "can't be written to"


def check_input(path: Path) -> None:
    """Check that something is there that can be read.

    Raises:
        MissingInputError: nothing is there.
        InputError: it is neither a file nor a folder.
    """
    if not path.exists():
        raise MissingInputError(path, "there is no such file or folder", "check the path", code="path-missing")
    if not path.is_file() and not path.is_dir():
        raise InputError(
            path, "it is neither a file nor a folder", "give a file, or a folder of files", code="path-missing"
        )


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
