"""The tree of errors: each says in one sentence what is wrong, with what, and what to do.

MedunetError
├── InputError (ValueError)              something that the user gave
│   ├── MissingInputError (FileNotFoundError)   a path or a case that isn't there
│   ├── OutputExistsError (FileExistsError)     an output that would be overwritten
│   ├── SeriesError                      files that don't make one volume
│   │   └── UnmatchedError               series of which none, or more than one, is a channel of a bundle
│   ├── GeometryError                    grids that disagree, affines that can't be
│   ├── LabelError                       label values or contours that don't fit
│   ├── ScansError                       some of several scans, of which the others are done
│   └── RecordError                      a JSON file or key
│       └── BundleError                  a bundle that is incomplete or doesn't fit
├── ResourceError (OSError)              disk, memory or time that ran out
└── ExtraError (ImportError)             an optional package that isn't installed
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, NoReturn

from medunet.codes import Code


class MedunetError(Exception):
    """Base of all errors that medunet raises on purpose.

    Args:
        subject: the file, series, case, option or key that it is about.
        found: what is wrong with it.
        remedy: what the user can do.
        expected: what would have been right, where `found` doesn't say so itself.
        code: names this kind of fault for programs; that of its class if not given.
    """

    usual_code: ClassVar[Code] = "input-wrong"
    """Code of an error of this class that is raised without one."""

    def __init__(
        self, subject: object, found: str, remedy: str, expected: str = "", *, code: Code | None = None
    ) -> None:
        self.code: Code = code or self.usual_code
        self.subject = str(subject)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        expected = f" (expected {self.expected})" if self.expected else ""
        end = "" if "\n" in self.remedy or self.remedy.endswith("?") else "."  # a table ends without one
        return f"{self.subject}: {self.found}{expected}; {self.remedy}{end}"

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str], dict[str, Code]]:
        return type(self), (self.subject, self.found, self.remedy, self.expected), {"code": self.code}


class InputError(MedunetError, ValueError):
    """Something that the user gave can't be used."""


class MissingInputError(InputError, FileNotFoundError):
    """A path or a case that isn't there."""

    usual_code: ClassVar[Code] = "path-missing"


class OutputExistsError(InputError, FileExistsError):
    """An output that exists and would be overwritten."""

    usual_code: ClassVar[Code] = "output-exists"


class SeriesError(InputError):
    """Files that don't make exactly one volume."""


class UnmatchedError(SeriesError):
    """Series of which none, or more than one, is clearly a channel of a bundle."""

    usual_code: ClassVar[Code] = "series-unmatched"


class GeometryError(InputError):
    """Grids that disagree, or an affine that places no voxel."""


class LabelError(InputError):
    """Label values or contours that don't fit the image or the label table."""


class ScansError(InputError):
    """Some of several scans are refused; the others are done.

    Attributes:
        results: what came of each scan, in their order.
    """

    usual_code: ClassVar[Code] = "scans-refused"
    results: Sequence[Any] = ()


class RecordError(InputError):
    """A JSON file that can't be read, or one of its keys."""

    usual_code: ClassVar[Code] = "record-wrong"


class BundleError(RecordError):
    """A bundle that is incomplete, or whose parts don't fit each other."""

    usual_code: ClassVar[Code] = "bundle-wrong"


class ResourceError(MedunetError, OSError):
    """Disk, memory or time that ran out."""

    usual_code: ClassVar[Code] = "resource-short"


class ExtraError(MedunetError, ImportError):
    """An optional package that isn't installed."""

    usual_code: ClassVar[Code] = "extra-missing"


def name_fault(error: BaseException) -> str:
    """What a library raised, in a few words: its kind and the beginning of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:150]


@contextmanager
def refuse_damage(subject: object, kind: type[InputError] = InputError) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into one sentence; our own errors pass.

    Libraries take values out of their bytes late and raise what they like there: struct.error, zlib.error,
    NotImplementedError, MemoryError and others.

    Args:
        subject: the file.
        kind: of the error to raise.
    """
    try:
        yield
    except MedunetError:
        raise
    except Exception as error:
        found = f"it is damaged and can't be read ({name_fault(error)})"
        raise kind(subject, found, "restore the file", code="file-damaged") from error


_COLLECTED: ContextVar["list[MedunetError] | None"] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[MedunetError]]:
    """Gather the errors of all parts that are read within `independent`, where else the first would end the work."""
    errors: list[MedunetError] = []
    token = _COLLECTED.set(errors)
    try:
        yield errors
    finally:
        _COLLECTED.reset(token)


@contextmanager
def independent() -> Iterator[None]:
    """Read one of several parts, such as the files of a folder: its error leaves it out where somebody collects."""
    try:
        yield
    except MedunetError as error:
        errors = _COLLECTED.get()
        if errors is None:
            raise
        errors.append(error)


def raise_ours(error: Exception) -> NoReturn:
    """Raise our own error in place of what a library wrapped around it, or else the library's."""
    ours = find_medunet_error(error)
    if ours is None or ours is error:
        raise error
    raise ours from error


def find_medunet_error(error: BaseException) -> MedunetError | None:
    """Find our own error in the chain of causes that a library wrapped around it.

    Args:
        error: any exception, for example the RuntimeError in which MONAI wraps errors of transforms.

    Returns:
        The innermost `MedunetError`, or None where the chain holds none.
    """
    found = None
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        if isinstance(step, MedunetError):
            found = step
        step = step.__cause__ or step.__context__
    return found
