"""
Write what is installed beside this Python as a bill of materials: CycloneDX 1.6, JSON, to the standard output.

It needs nothing but Python, and says the same of the same packages at any time: no date, no serial number.
Source: CycloneDX v1.6 JSON Reference; purl specification.
"""

import json
import platform
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any

SUBJECT = "ses-relay"
#: A classifier that names no licence.
BARE = "License :: OSI Approved"


def main() -> None:
    """Write the bill."""
    json.dump(bill_of(distributions()), sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def bill_of(found: Iterable[Distribution]) -> dict[str, Any]:
    """
    Return the bill of what was *found*, of which one must be the relay.

    Raises:
        KeyError: The relay is not among them.
    """
    by_name = {normal(each.name): each for each in found}
    subject = by_name[SUBJECT]
    libraries = [by_name[name] for name in sorted(by_name) if name != SUBJECT]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(subject, "application")},
        "components": [python(), *(component(each, "library") for each in libraries)],
        "dependencies": [
            {"ref": reference(by_name[name]), "dependsOn": needs(by_name[name], by_name)} for name in sorted(by_name)
        ],
    }


def component(each: Distribution, kind: str) -> dict[str, Any]:
    """One package: its name, version, address among packages, and licence as it states it."""
    return {
        "type": kind,
        "bom-ref": reference(each),
        "name": each.name,
        "version": each.version,
        "purl": reference(each),
        **licence(each),
    }


def licence(each: Distribution) -> dict[str, Any]:
    """An SPDX expression where the package gives one; else its classifiers, else its own words, if they are few."""
    if "License-Expression" in each.metadata:
        return {"licenses": [{"expression": each.metadata["License-Expression"]}]}
    classifiers = each.metadata.get_all("Classifier") or []
    told = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::") and line != BARE]
    words = each.metadata["License"].strip() if "License" in each.metadata else ""
    names = told or ([words] if words and len(words) < 80 and "\n" not in words else [])
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def needs(each: Distribution, by_name: dict[str, Distribution]) -> list[str]:
    """What a package asks for and is there. Extras count where they are installed."""
    wanted = {normal(re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0]) for line in each.requires or []}
    return [reference(by_name[name]) for name in sorted(wanted & by_name.keys()) if name != normal(each.name)]


def reference(each: Distribution) -> str:
    """Return the purl: what a package of this version is known by everywhere."""
    return f"pkg:pypi/{normal(each.name)}@{each.version}"


def normal(name: str) -> str:
    """A name as packages are compared by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python() -> dict[str, Any]:
    """The interpreter."""
    version = platform.python_version()
    return {
        "type": "platform",
        "bom-ref": f"pkg:generic/python@{version}",
        "name": platform.python_implementation(),
        "version": version,
        "purl": f"pkg:generic/python@{version}",
    }


if __name__ == "__main__":
    main()
