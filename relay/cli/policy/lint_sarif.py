"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from relay import __version__
from relay.cli.policy.lint_files import STDIN, FileFinding
from relay.policy.lint import RULES, Rule

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(found: Sequence[FileFinding]) -> dict[str, Any]:
    """Return the log of one run."""
    driver = {
        "name": "ses-relay policy lint",
        "version": __version__,
        "rules": [_rule(rule) for rule in RULES.values()],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(one) for one in found]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.means.partition(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": rule.means},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _result(one: FileFinding) -> dict[str, Any]:
    finding = one.finding
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    physical = {"artifactLocation": {"uri": _uri(one.file)}, "region": region}
    logical = {"fullyQualifiedName": finding.path}
    return {
        "ruleId": finding.code,
        "ruleIndex": list(RULES).index(finding.code),
        "level": str(finding.severity),
        "message": {"text": f"{finding.message} Fix: {finding.fix}"},
        "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
        "partialFingerprints": {"finding/v1": _fingerprint(one)},
    }


def _fingerprint(one: FileFinding) -> str:
    """The same as long as the finding is, wherever in the file its line moves."""
    told = "\n".join((one.finding.policy, one.finding.code, one.finding.path, one.finding.message))
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _uri(file: str) -> str:
    if file == STDIN:
        return "stdin"
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path))
