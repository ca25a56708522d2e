"""The rules and alerts that are shipped: they parse, fire and stay quiet, ask for what is there, and have a page."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.observe.table import ROWS
from tests.docs.pages import ROOT, anchors_of, text_of

CONFIG = ROOT / "config" / "prometheus"
PAGE = "docs/reference/alerts.md"
#: What Prometheus itself, or the library, has of every process.
OTHERS = {"up": {"job"}, "process_start_time_seconds": {"job"}}
SUFFIX = re.compile(r"_(bucket|sum|count)$")
SELECTOR = re.compile(r"([a-z_]+:ses_relay_[a-z_]+:?\w*|ses_relay_\w+|\bup\b|process_start_time_seconds)(\{[^}]*\})?")


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / name).read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = rules("alerts.yaml")
TESTS = ("alerts_test.yaml", "alerts_day_test.yaml")
CASES = [case for name in TESTS for case in yaml.safe_load((CONFIG / name).read_text("utf-8"))["tests"]]


def named(alert: dict[str, Any]) -> str:
    return f"{alert['alert']}-{alert['labels']['severity']}"


def metrics_of(expression: str) -> list[tuple[str, set[str]]]:
    """What an expression asks for: names, and the labels that it chooses by."""
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen))) for name, chosen in SELECTOR.findall(expression)]


def unknown_in(expression: str) -> list[str]:
    """What an expression asks for that no relay and no rule has."""
    known = {row.name: {*row.labels, "job", "instance", "le"} for row in ROWS}
    known |= {rule["record"]: {"job", "instance", *rule["record"].split(":")[0].split("_")} for rule in RECORDED}
    known |= OTHERS
    return [
        f"{name}{sorted(chosen)}"
        for name, chosen in metrics_of(expression)
        if not chosen <= known.get(name, known.get(SUFFIX.sub("", name), {""}))
        or (name not in known and SUFFIX.sub("", name) not in known)
    ]


RECORDED = rules("rules.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yaml", "alerts.yaml"),
        ("check", "config", "scrape.yaml"),
        ("check", "config", "fleet.yaml"),
        ("test", "rules", *TESTS),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...], tool: Callable[[str], str]) -> None:
    """What is shipped parses, and every alert fires and stays quiet as its cases say."""
    done = subprocess.run([tool("promtool"), *arguments], cwd=CONFIG, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", [*RECORDED, *ALERTS], ids=lambda rule: rule.get("record") or named(rule))
def test_rules_ask_for_metrics_and_labels_that_are_there(rule: dict[str, Any]) -> None:
    assert metrics_of(rule["expr"])
    assert unknown_in(rule["expr"]) == []


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_every_alert_says_what_where_how_bad_and_what_to_do(alert: dict[str, Any]) -> None:
    told = alert["annotations"]

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(told) == {"summary", "description", "runbook_url"}
    assert told["runbook_url"] == f"{PAGE}#{alert['alert'].lower()}"
    assert "$labels." in told["summary"] or alert["alert"] == "SesRelayMissing"


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_every_alert_has_a_case_that_fires_and_one_that_stays_quiet(alert: dict[str, Any]) -> None:
    """Quiet is what is given beside what fires, and is not among the alerts; for a lower severity, what only warns."""
    fired, given = set(), set()
    for case in CASES:
        for expected in case["alert_rule_test"]:
            if expected["alertname"] == alert["alert"]:
                texts = [one["series"] for one in case["input_series"]]
                given |= set(re.findall(r'"(fires|quiet|warns)', " ".join(texts).replace("fires.example", '"fires')))
                fired |= {
                    word
                    for one in expected["exp_alerts"]
                    if one["exp_labels"]["severity"] == alert["labels"]["severity"]
                    for word in ("fires", "quiet", "warns")
                    if any(word in str(value) for value in one["exp_labels"].values())
                } or ({"fires"} if expected["exp_alerts"] and alert["alert"] == "SesRelayMissing" else set())

    assert "fires" in fired
    assert given - fired


def test_every_alert_has_a_heading_and_every_heading_an_alert() -> None:
    headings = re.findall(r"^### (\w+)$", text_of(PAGE), re.MULTILINE)

    assert headings == list(dict.fromkeys(alert["alert"] for alert in ALERTS))
    assert {heading.lower() for heading in headings} <= anchors_of(PAGE)


def test_everything_that_the_scrape_names_lies_beside_it() -> None:
    scrape = yaml.safe_load((CONFIG / "scrape.yaml").read_text("utf-8"))

    assert [job["job_name"] for job in scrape["scrape_configs"]] == ["ses-relay"]
    assert all((CONFIG / Path(name)).is_file() for name in scrape["rule_files"])
