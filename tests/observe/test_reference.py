"""The reference pages say what the code does."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from relay.observe import labels
from relay.observe.reference import metrics_reference
from relay.observe.table import LABELS, ROWS
from tests.observe.givens import SCHEMA, assert_valid

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def fields(properties: dict[str, Any], before: str = "") -> dict[str, str]:
    """Every field of the schema by the name that the page gives it, with its description."""
    found = {}
    for name, field in properties.items():
        found[before + name] = field["description"]
        found |= fields(field.get("properties", {}), f"{before}{name}.")
        found |= fields(field.get("items", {}).get("properties", {}), f"{before}{name}[].")
    return found


def test_the_metrics_page_is_the_table():
    """
    docs/reference/metrics.md is what the table writes: python -m relay.observe.reference.
    """
    assert metrics_reference() == (PAGES / "metrics.md").read_text("utf-8")


def test_every_label_is_explained():
    """
    No label without a word on what it may hold, and no word on a label that is not there.
    """
    assert {label for row in ROWS for label in row.labels} == set(LABELS)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("mechanism", labels.MECHANISMS),
        ("check", labels.CHECKS),
        ("state", labels.STATES),
        ("queue", labels.QUEUES),
        ("use", labels.USES),
        ("verdict", labels.VERDICTS),
        ("kind", labels.DISAGREEMENTS | labels.POLICY_CHANGES | labels.REPAIRS | labels.FEEDBACK),
        ("result", labels.SES_RESULTS | labels.RECIPIENT_DOMAINS | labels.DELIVERIES | labels.NOTICES),
        ("result", labels.AUTH_RESULTS | labels.REFRESHES | {*labels.POLLS, *labels.LETTERS}),
    ],
)
def test_every_word_of_a_closed_set_is_named(label: str, words: Iterable[str]):
    """
    Whoever writes a query finds on the page each word that a series may have.
    """
    assert set(words) <= set(re.findall(r"`([\w-]+)`", LABELS[label]))


def test_every_check_of_readiness_is_explained():
    """
    Whoever reads a line of /readyz?verbose finds what it means.
    """
    page = (PAGES / "admin.md").read_text("utf-8")
    [table] = re.findall(r"\| check \| fails when \|\n(.*?)\n\n", page, re.DOTALL)
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]

    assert set(named) >= labels.CHECKS


def test_the_example_record_is_valid():
    """
    The example of the page is a record.
    """
    page = (PAGES / "decision-record.md").read_text("utf-8")
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)

    assert_valid(json.loads(example))


def test_every_field_is_explained():
    """
    The page's table has each field of the schema, in its words.
    """
    page = (PAGES / "decision-record.md").read_text("utf-8")

    assert dict(re.findall(r"^\| `(.*?)` \| (.*) \|$", page, re.MULTILINE)) == fields(SCHEMA["properties"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_buckets_rise(row):
    """
    Upper bounds of a histogram rise, and only histograms have them.
    """
    assert sorted(set(row.buckets)) == list(row.buckets)
    assert bool(row.buckets) == (row.kind == "histogram")
