import logging
from threading import Barrier, Thread

import pytest

from medunet.codes import CODES
from medunet.errors import LabelError, SeriesError, collecting, independent
from medunet.findings import (
    Finding,
    Note,
    add_remedy,
    describe_error,
    describe_note,
    listening,
    make_finding,
    tell,
    warn,
)


def test_an_error_becomes_a_finding_with_its_code_and_option() -> None:
    error = SeriesError("CT/1.dcm", "values have no unit", "say --assume-rescale", "one", code="rescale-missing")
    found = describe_error(error)
    assert (found.code, found.severity, found.option) == ("rescale-missing", "error", "--assume-rescale")
    assert (found.subject, found.found) == ("CT/1.dcm", "values have no unit (expected one)")


def test_an_option_is_given_only_where_the_remedy_names_it() -> None:
    assert make_finding("rescale-missing", "a", "it has none", "restore the header").option == ""
    assert make_finding("slices-missing", "--phase", "--phase", "--phase").option == ""


@pytest.mark.parametrize("words", ["unpacked", "it is damaged", "its PatientID differs", "slices are missing"])
def test_no_word_of_a_sentence_changes_its_code(words: str) -> None:
    assert describe_error(LabelError(words, words, words, words, code="label-overlap")).code == "label-overlap"
    assert make_finding("slice-copied", words, words, words).code == "slice-copied"


def test_a_note_is_its_text_for_people() -> None:
    note = Note("slice-copied", "b is a copy of a")
    assert f"{note}" == str(note) == "b is a copy of a"
    assert describe_note(note, "CT") == Finding(
        code="slice-copied", severity="note", subject="CT", found="b is a copy of a"
    )


def test_the_table_has_a_remedy_for_warnings_and_not_for_notes_of_what_was_asked_for() -> None:
    remedy = CODES["pet-not-suv"].remedy
    bare = make_finding("pet-not-suv", "PET", "not SUV")
    assert (bare.severity, bare.remedy) == ("warning", "")
    assert (add_remedy(bare).remedy, add_remedy(bare).option) == (remedy, "--pet")
    assert describe_note(Note("pet-not-suv", "as stored"), "PET").remedy == ""
    own = make_finding("pet-not-suv", "PET", "not SUV", "leave it")
    assert add_remedy(own) is own


def test_warnings_are_heard_instead_of_logged(caplog: pytest.LogCaptureFixture) -> None:
    with listening() as heard:
        warn("label-grid", "a: b.dcm", "its contours lie off the slices")
    warn("label-values", "a", "values are classes", "add --objects")
    tell(make_finding("volume-twice", "a ct", "it has the same values as b ct"))
    assert [(item.code, item.severity, item.subject) for item in heard] == [("label-grid", "warning", "a: b.dcm")]
    assert caplog.messages == ["a: values are classes; add --objects", "a ct: it has the same values as b ct"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_the_inner_listener_hears_and_the_outer_one_goes_on() -> None:
    with listening() as outer:
        with listening() as inner:
            warn("label-grid", "a", "off")
        warn("label-grid", "b", "off")
    assert ([item.subject for item in inner], [item.subject for item in outer]) == (["a"], ["b"])


def test_what_is_told_or_refused_in_a_thread_reaches_the_listener_of_that_thread_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    both = Barrier(2)
    told: dict[str, tuple[list[str], list[str]]] = {}

    def read(name: str) -> None:
        with listening() as heard, collecting() as errors:
            both.wait(10)
            for n in range(50):
                warn("label-grid", f"{name} {n}", "off")
                with independent():
                    raise SeriesError(f"{name} {n}", "it is odd", "add one")
            both.wait(10)
        told[name] = [item.subject for item in heard], [error.subject for error in errors]

    with listening() as outside, collecting() as refused:
        threads = [Thread(target=read, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deaf = Thread(target=warn, args=("label-grid", "nobody", "off"))
        deaf.start()
        deaf.join()
    for name in ("one", "two"):
        wanted = [f"{name} {n}" for n in range(50)]
        assert told[name] == (wanted, wanted)
    assert (outside, refused) == ([], [])
    assert caplog.messages == ["nobody: off"]
