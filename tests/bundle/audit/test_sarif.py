"""SARIF 2.1.0: what its schema and its text demand of every log."""

from typing import Any

import jsonschema

from medunet.bundle.audit import Audit, AuditEntry, make_sarif

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
REGION = {
    "type": "object",
    "minProperties": 1,
    "properties": {"startLine": {"type": "integer", "minimum": 1}, "byteOffset": {"type": "integer", "minimum": 0}},
    "dependentRequired": {"byteLength": ["byteOffset"]},
}
LOCATION = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {
                        "uri": {"type": "string", "format": "uri-reference"},
                        "uriBaseId": {"const": "BUNDLE"},
                    },
                },
                "region": REGION,
            },
        },
        "logicalLocations": {"type": "array", "items": {"required": ["fullyQualifiedName"]}},
    },
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "level"],
    "properties": {
        "message": TEXT,
        "level": {"enum": ["none", "note", "warning", "error"]},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "locations": {"type": "array", "items": LOCATION},
    },
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {"required": ["id"]}}},
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
            },
        },
    },
}
"""What the schema of OASIS demands of the parts that an audit has."""


def make_audit() -> Audit:
    line = AuditEntry(kind="script", severity="error", file="scripts/a b.py", line=3, text="os.system", reason="runs")
    pickled = AuditEntry(kind="pickle", severity="note", file="m.pkl", offset=0, text="torch.Size", reason="tensors")
    key = AuditEntry(kind="target", severity="warning", file="c.json", place="a::_target_", text="x.Y", reason="other")
    return Audit(bundle="b", entries=(line, key, pickled), files=3)


def test_a_log_is_valid() -> None:
    jsonschema.Draft201909Validator.check_schema(SCHEMA)
    log = make_sarif(make_audit())
    jsonschema.validate(log, SCHEMA)
    jsonschema.validate(make_sarif(Audit(bundle="b", entries=(), files=0)), SCHEMA)


def test_results_point_at_their_rules_and_places() -> None:
    (run,) = make_sarif(make_audit())["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in run["results"])
    line, key, pickled = (item["locations"][0] for item in run["results"])
    assert line["physicalLocation"]["region"] == {"startLine": 3}
    # A URI reference holds no blank.
    assert line["physicalLocation"]["artifactLocation"]["uri"] == "scripts/a%20b.py"
    assert key["logicalLocations"] == [{"fullyQualifiedName": "a::_target_"}]
    assert pickled["physicalLocation"]["region"]["byteOffset"] == 0
    assert {item["artifactLocation"]["uriBaseId"] for item in (line["physicalLocation"],)} <= run[
        "originalUriBaseIds"
    ].keys()
