"""An audit in SARIF 2.1.0 (OASIS, 2020), which code scanning and editors show beside the files."""

from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from medunet.bundle.audit.entries import MEANINGS, Audit, AuditEntry

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SHOWN = 300
"""Letters of a text in a message; properties hold all of it."""


def make_sarif(audit: Audit) -> dict[str, Any]:
    """The log of one run: a rule for each kind, a result for each entry, paths relative to the bundle's folder."""
    kinds = list(MEANINGS)
    rules = [{"id": f"bundle/{kind}", "shortDescription": {"text": said}} for kind, said in MEANINGS.items()]
    driver = {"name": "medunet bundle audit", "version": version("medunet"), "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"BUNDLE": {"description": {"text": f"the folder {audit.bundle}"}}},
                "results": [_make_result(entry, kinds.index(entry.kind)) for entry in audit.entries],
            }
        ],
    }


def _make_result(entry: AuditEntry, rule: int) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(entry.file), "uriBaseId": "BUNDLE"}}
    if entry.line is not None:
        physical["region"] = {"startLine": entry.line}
    elif entry.offset is not None and not entry.place:
        physical["region"] = {"byteOffset": entry.offset, "byteLength": 1}
    location: dict[str, Any] = {"physicalLocation": physical}
    if entry.place:
        location["logicalLocations"] = [{"fullyQualifiedName": entry.place}]
    return {
        "ruleId": f"bundle/{entry.kind}",
        "ruleIndex": rule,
        "level": entry.severity,
        "message": {"text": f"{entry.text[:SHOWN]}: {entry.reason}"},
        "locations": [location],
        "properties": {"text": entry.text, **({"offset": entry.offset} if entry.offset is not None else {})},
    }
