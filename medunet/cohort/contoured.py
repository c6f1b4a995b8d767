"""Which labels somebody looked for in each case, where a file beside a cohort says it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medunet.cohort.cases import Case, Cohort
from medunet.errors import RecordError
from medunet.records import read_json, suggest

LOGGER = logging.getLogger(__name__)
NAME = "contoured.json"
"""File beside a cohort that holds it."""


def find_contoured(cohort: Cohort, path: Path) -> Cohort:
    """The cohort with what a `contoured.json` beside it says of cases that don't say it themselves.

    Args:
        cohort: as found.
        path: where it was found.

    Raises:
        RecordError: the file names unknown labels, or no case of the cohort.
    """
    given = (path if path.is_dir() else path.parent) / NAME
    if not given.is_file():
        return cohort
    named = _read_names(given)
    known = {name for case in cohort.cases for name in (case.id, case.patient)}
    if unknown := sorted(named.keys() - known):
        found = f"it names '{unknown[0]}', which is neither a case nor a patient"
        raise RecordError(given, found, suggest(unknown[0], sorted(known)), code="list-wrong")
    LOGGER.info("what is contoured in each case is said by %s", given)
    return cohort.model_copy(update={"cases": tuple(_take(case, named, cohort, given) for case in cohort.cases)})


def _take(case: Case, named: Mapping[str, list[str]], cohort: Cohort, given: Path) -> Case:
    names = named.get(case.id, named.get(case.patient))
    if case.contoured is not None or names is None:
        return case
    for name in names:
        if name not in cohort.labels.names:
            found = f"case {case.id} has the label '{name}'"
            raise RecordError(given, found, suggest(name, list(cohort.labels.names)), code="label-unknown")
    return case.model_copy(update={"contoured": tuple(names)})


def _read_names(path: Path) -> dict[str, list[str]]:
    content: Any = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("contoured"), dict):
        content = content["contoured"]
    if not isinstance(content, dict) or not all(_is_names(value) for value in content.values()):
        remedy = 'write it like {"case 1": ["liver", "spleen"], "case 2": ["liver"]}'
        raise RecordError(path, "it lists no labels of cases", remedy, code="list-wrong")
    return content


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
