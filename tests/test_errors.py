import pickle
from copy import copy

import pytest

from medunet.errors import (
    BundleError,
    ExtraError,
    GeometryError,
    InputError,
    LabelError,
    MedunetError,
    MissingInputError,
    OutputExistsError,
    RecordError,
    ResourceError,
    SeriesError,
    UnmatchedError,
    collecting,
    find_medunet_error,
    independent,
    raise_ours,
    refuse_damage,
)


def test_a_message_is_one_sentence_with_subject_finding_and_remedy() -> None:
    error = GeometryError("scan.nii", "it is tilted", "straighten it", expected="none")
    assert str(error) == "scan.nii: it is tilted (expected none); straighten it."
    assert str(InputError("--format nii", "there is no such format", "did you mean 'nifti'?")) == (
        "--format nii: there is no such format; did you mean 'nifti'?"
    )


@pytest.mark.parametrize(
    ("kind", "builtin"), [(InputError, ValueError), (BundleError, ValueError), (ExtraError, ImportError)]
)
def test_errors_are_built_in_errors_too(kind: type[MedunetError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(InputError("a", "b", "c", "d")))  # noqa: S301
    assert (type(error), str(error)) == (InputError, "a: b (expected d); c.")


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        (InputError, "input-wrong"),
        (MissingInputError, "path-missing"),
        (OutputExistsError, "output-exists"),
        (SeriesError, "input-wrong"),
        (UnmatchedError, "series-unmatched"),
        (RecordError, "record-wrong"),
        (BundleError, "bundle-wrong"),
        (ResourceError, "resource-short"),
        (ExtraError, "extra-missing"),
    ],
)
def test_each_error_has_a_code_and_keeps_it_between_processes(kind: type[MedunetError], usual: str) -> None:
    assert kind("a", "b", "c").code == usual
    given = kind("a", "b", "c", "d", code="file-damaged")
    for error in (pickle.loads(pickle.dumps(given)), copy(given)):  # noqa: S301
        assert (type(error), str(error), error.code) == (kind, "a: b (expected d); c.", "file-damaged")


def test_ours_is_found_in_what_a_library_wrapped_around_it() -> None:
    ours = InputError("a", "b", "c")
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = KeyError("between")
    wrapped.__cause__.__context__ = ours
    assert find_medunet_error(wrapped) is ours
    assert find_medunet_error(RuntimeError("other")) is None


def test_ours_is_raised_and_the_rest_left_alone() -> None:
    ours = InputError("a", "b", "c")
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = ours
    for given, expected in ((wrapped, ours), (ours, ours), (other := KeyError("x"), other)):
        with pytest.raises(type(expected)) as caught:
            raise_ours(given)
        assert caught.value is expected


def test_whatever_a_damaged_file_brings_up_becomes_one_sentence() -> None:
    words = r"a\.dcm: it is damaged and can't be read \(KeyError: 'x'\); restore"
    with pytest.raises(SeriesError, match=words) as refused, refuse_damage("a.dcm", SeriesError):
        {}["x"]
    assert refused.value.code == "file-damaged"
    with pytest.raises(LabelError, match=r"^ours"), refuse_damage("a.dcm", SeriesError):
        raise LabelError("ours", "passes", "as it is")


def read_parts() -> list[int]:
    read = []
    for n in range(4):
        with independent():
            if n % 2:
                raise SeriesError(n, "it is odd", "add one")
            read.append(n)
    return read


def test_the_first_error_ends_the_work_unless_somebody_collects_them_all() -> None:
    with pytest.raises(SeriesError, match="1: it is odd"):
        read_parts()
    with collecting() as errors:
        assert read_parts() == [0, 2]
    assert [error.subject for error in errors] == ["1", "3"]
    with pytest.raises(SeriesError):
        read_parts()
