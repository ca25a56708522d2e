"""A release has one version: the code's, its section of the changelog, and its tag."""

import re
import subprocess

import relay
from tests.docs.pages import ROOT, text_of

SECTION = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, to be compared."""
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    assert found, version
    return tuple(map(int, found.groups()))


def test_the_changelog_has_the_newest_first_and_a_day_for_each():
    (first, of_first), *released = SECTION.findall(text_of("CHANGELOG.md"))

    assert (first, of_first) == ("Unreleased", "")
    assert all(day for _, day in released)
    versions = [parts(version) for version, _ in released]
    assert versions == sorted(versions, reverse=True)
    assert all(parts(relay.__version__) >= each for each in versions)


def test_what_is_tagged_is_what_the_code_says():
    """A commit with a tag ``v1.2.3`` is version 1.2.3, and the changelog has a section for it."""
    if not (ROOT / ".git").exists():
        return  # the sources of a release, unpacked: nothing is tagged there
    told = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    for tag in re.findall(r"^v(\d.*)$", told.stdout, re.MULTILINE):
        assert tag == relay.__version__
        assert tag in [version for version, _ in SECTION.findall(text_of("CHANGELOG.md"))]
