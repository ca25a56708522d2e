"""Results as JUnit XML, which every CI reads."""

from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from relay.owner.expectations import Result


def to_junit(results: Sequence[Result], explained: Sequence[str], seconds: float) -> bytes:
    """
    Return a JUnit XML document: one suite a file, one test case a case.

    *explained* holds the explanation of each result as text, empty for one that passed; *seconds* is what all took.
    """
    failures = sum(not result.passed for result in results)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    root = ET.Element("testsuites", {"name": "ses-relay policy test", **counts})
    by_file: dict[str, list[tuple[Result, str]]] = defaultdict(list)
    for result, text in zip(results, explained, strict=True):
        by_file[result.case.file].append((result, text))
    for file, pairs in by_file.items():
        failed = sum(not result.passed for result, _ in pairs)
        counts = {"tests": str(len(pairs)), "failures": str(failed), "errors": "0", "skipped": "0"}
        suite = ET.SubElement(root, "testsuite", {"name": _clean(file), **counts})
        for result, text in pairs:
            names = {"name": _clean(result.case.name), "classname": _clean(file), "file": _clean(file)}
            element = ET.SubElement(suite, "testcase", names)
            if not result.passed:
                failure = ET.SubElement(element, "failure", {"message": _clean(result.why), "type": result.verdict})
                failure.text = _clean(text)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _clean(text: str) -> str:
    """Characters that XML 1.0 cannot hold, even escaped, become ``?``."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )
