"""Unpack zip archives of scans, as far as they hold nothing that shouldn't be unpacked."""

import logging
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, ZipInfo

from medunet.errors import InputError, ResourceError, refuse_damage
from medunet.files import check_free, whole_folder
from medunet.progress import track

LOGGER = logging.getLogger(__name__)
ENDING = ".zip"
FILES = 100_000
"""An archive of more files is refused."""
GIB = 64
"""An archive that is larger unpacked is refused."""
RATIO = 200
"""An archive that grows by more is refused: scans shrink to a half or a quarter, empty ones to a hundredth."""
_UNPACK = "unpack it yourself if you trust it"


@contextmanager
def unpack_archives(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Unpack what is called `.zip` among paths, and give folders in their place until the block ends.

    A folder is called like its archive; a single folder that holds everything in it is left out.

    Args:
        paths: archives, and others, which come back as they are.

    Raises:
        InputError: an archive is damaged or encrypted, holds links or paths that lead out of it, or grows too large.
        ResourceError: the disk has no room for it.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_unpack(path)) if _is_archive(path) else path for path in paths]


@contextmanager
def unpack_beside(path: Path, bundle: Path) -> Iterator[Path]:
    """Unpack a cohort that is called `.zip` into `BUNDLE.scans`, where it stays unless the block fails.

    Args:
        path: an archive, or something else, which comes back as it is.
        bundle: that the block makes of it, and that needs its files later.

    Raises:
        OutputExistsError: the bundle or the folder exists.
        InputError, ResourceError: as of `unpack_archives`.
    """
    if not _is_archive(path):
        yield path
        return
    folder = bundle.with_name(f"{bundle.name}.scans")
    check_free(bundle)
    with whole_folder(folder) as part:
        _open_and_extract(path, part, f"{folder}, which the bundle needs until it is trained and evaluated")
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder)
        raise


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ENDING and path.is_file()


@contextmanager
def _unpack(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="medunet-") as temporary:
        folder = Path(temporary) / path.stem
        folder.mkdir()
        _open_and_extract(path, folder, "a temporary folder, which is removed at the end")
        yield folder


def _open_and_extract(path: Path, folder: Path, where: str) -> None:
    try:
        with refuse_damage(path), ZipFile(path) as archive:
            _extract(archive, path, folder, where)
    except InputError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.strerror:
            found = f"it can't be unpacked into {folder.parent} ({error.__cause__.strerror})"
            raise ResourceError(
                path, found, "make room, or name another folder by TMPDIR", code="archive-refused"
            ) from None
        raise


def _extract(archive: ZipFile, path: Path, folder: Path, where: str) -> None:
    files = [item for item in archive.infolist() if not item.is_dir() and not item.filename.startswith("__MACOSX/")]
    size = sum(item.file_size for item in files)
    _check_size(path, len(files), size, folder.parent)
    names = [_check_file(path, item) for item in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(path, f"it holds {str(twice)!r} twice", "pack it again", code="archive-refused")
    strip = int(len({name.parts[0] for name in names}) == 1 and all(len(name.parts) > 1 for name in names))
    for item, name in track(zip(files, names, strict=True), "unpacking", len(files)):
        target = folder.joinpath(*name.parts[strip:])
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(item) as source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream)
    LOGGER.info("%s: %d files of %.0f MB are unpacked into %s", path.name, len(files), size / 1e6, where)


def _check_size(path: Path, count: int, size: int, folder: Path) -> None:
    if not count:
        raise InputError(path, "it is an empty archive", "pack it again", code="archive-refused")
    if count > FILES:
        raise InputError(path, f"it holds {count} files", _UNPACK, f"at most {FILES}", code="archive-refused")
    # The archive's own size, not that of its entries, which may overlap.
    if size > GIB * 2**30 or size > RATIO * path.stat().st_size:
        found = f"it would grow from {path.stat().st_size / 1e6:.3g} to {size / 1e6:.3g} MB"
        raise InputError(path, found, _UNPACK, f"at most {RATIO} times as large, and {GIB} GiB", code="archive-refused")
    free = shutil.disk_usage(folder).free
    if size > free:
        found = f"unpacked it takes {size / 1e6:.3g} MB, and {folder} has {free / 1e6:.3g}"
        raise ResourceError(path, found, "make room, or name another folder by TMPDIR", code="archive-refused")


def _check_file(path: Path, item: ZipInfo) -> PurePosixPath:
    name = PurePosixPath(item.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or not name.parts or ":" in name.parts[0]:
        raise InputError(
            path, f"it holds {item.filename!r}, which leads out of it", "pack it again", code="archive-refused"
        )
    kind = stat.S_IFMT(item.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        found = f"it holds {item.filename!r}, which is a link or no file"
        raise InputError(path, found, "pack files themselves", code="archive-refused")
    if item.flag_bits & 1:
        raise InputError(path, "it is encrypted", "unpack it yourself, with its password", code="archive-refused")
    return name
