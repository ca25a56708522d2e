"""Counting: what the contract names is there, sums add up, and nothing from the wire becomes a label."""

import json
import math
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from relay.observe import events, labels
from relay.observe.counting import Spread
from relay.observe.events import (
    AttemptsFound,
    AuthTried,
    DelegatesObserved,
    Delivered,
    Judged,
    JudgementTimed,
    LoopLagged,
    MessageEnded,
    MessageReceived,
    MessageRepaired,
    PoliciesRefreshed,
    RecipientDomainChecked,
    Replied,
    SesCalled,
    SesDisagreed,
    SessionClosed,
    SessionOpened,
    SpoolCounted,
)
from relay.observe.metrics import Metrics
from relay.words.delegates import NOTIFICATIONS
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.standings import Standing
from relay.words.transactions import Ending
from tests.observe.givens import IDENTITY, LISTENER, ended

TABLE = json.loads((Path(__file__).parents[1] / "cases" / "metrics.json").read_text("utf-8"))
#: What dashboards and alerts are built on: what was promised from the first release on, and what came since.
CONTRACT = [(row["name"], row["type"], set(row["labels"])) for row in (*TABLE["promised"], *TABLE["more"])]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def make(**changes: Any) -> Metrics:
    return Metrics(**{"delegates": ["billing", "intern"], "listeners": [LISTENER], "clock": lambda: 1000.0, **changes})


def families(metrics: Metrics) -> dict[str, Metric]:
    """What a scraper reads from the rendered page, by name."""
    page = metrics.render()[0].decode()
    return {family.name: family for family in parse(page)}


def samples(metrics: Metrics) -> Samples:
    """Every sample of the rendered page, by name and labels."""
    found = (sample for family in families(metrics).values() for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def value(metrics: Metrics, name: str, **named: str) -> float:
    return samples(metrics)[name, frozenset(named.items())]


def total(metrics: Metrics, name: str) -> float:
    return sum(count for (sample, _), count in samples(metrics).items() if sample == name)


def one_of_each() -> Metrics:
    """Metrics that have seen an event of every kind."""
    metrics = make()
    for event in (
        PoliciesRefreshed("ok", {IDENTITY: 940.0}, {}),
        events.PoliciesForgotten("ses 999999999999 us-east-1", "999999999999", "us-east-1"),
        events.PolicyChanged(IDENTITY, ("changed", "removed"), {"identity": IDENTITY}),
        events.RevocationStated("888888888888", "us-east-1", 60.0),
        SessionOpened(LISTENER, "s", "203.0.113.7"),
        Replied(LISTENER, "MAIL", 250),
        events.CertificateShown((LISTENER,), 1796000000.0),
        AuthTried("PLAIN", "ok", "s", "billing"),
        MessageReceived(LISTENER),
        Judged("billing", IDENTITY, "from", "allowed", "enforce"),
        JudgementTimed(0.00004),
        MessageRepaired("billing", ("bare-lf",)),
        RecipientDomainChecked("null-mx"),
        SesCalled("us-east-1", "SendRawEmail", "sent", 0.07),
        SesDisagreed(IDENTITY, "access-denied"),
        DelegatesObserved({"intern": math.inf}),
        ended(),
        Delivered("billing", "sent", {"queue_id": "q"}),
        AttemptsFound(("q",)),
        SpoolCounted({"due": 2}, 300, 990.0),
        events.SendingPaced("111111111111", "us-east-1", 14.0, 200.0, 50_000.0),
        events.PaceForgotten("222222222222", "us-east-1"),
        events.StalenessBounded(3600.0),
        events.ReadinessSeen(is_ready=True, troubled={"roles": True, "listeners": False}),
        events.FeedbackHeard("billing", "complaint"),
        events.StandingChanged("billing", Standing.SLOWED, why="bounces"),
        events.QueueRead("feedback", "ok"),
        events.QueueRead("feedback", "taken", 3),
        events.SharedLost("shared", "localhost:6379", "connection refused"),
        events.SharedFound("shared", "localhost:6379", "Redis 7.0"),
        events.NoticeWritten("queued"),
        events.Incident("i", "s", ValueError("of ours")),
        LoopLagged(0.001),
        SessionClosed(LISTENER, "s", "quit"),
    ):
        metrics(event)
    return metrics


@pytest.mark.parametrize(("name", "kind", "labelled"), CONTRACT, ids=lambda part: part if isinstance(part, str) else "")
def test_contract(name, kind, labelled):
    """
    Name, type and label names are those that dashboards rely on.
    """
    family = families(one_of_each())[name.removesuffix("_total")]

    assert kind == family.type
    assert name.removesuffix("_total") == family.name
    assert family.samples
    for sample in family.samples:
        assert labelled == set(sample.labels) - {"le"}, sample
    if kind == "counter":
        assert {name} == {sample.name for sample in family.samples}


def test_the_spool_is_shown_as_it_was_counted_and_its_oldest_grows_older():
    """
    Every state has its number, 0 too; the age is that of the scrape; without a spool all is 0.
    """
    now = [1000.0]
    metrics = make(clock=lambda: now[0])
    empty = {state: value(metrics, "ses_relay_spool_messages", state=state) for state in labels.STATES}
    assert empty == dict.fromkeys(labels.STATES, 0)
    assert value(metrics, "ses_relay_spool_oldest_seconds") == 0

    metrics(SpoolCounted({"due": 2, "failed": 1}, 300, 940.0))
    now[0] = 1100.0

    assert value(metrics, "ses_relay_spool_messages", state="due") == 2
    assert value(metrics, "ses_relay_spool_messages", state="failed") == 1
    assert value(metrics, "ses_relay_spool_messages", state="held") == 0
    assert value(metrics, "ses_relay_spool_oldest_seconds") == 160


def test_attempts_without_an_end_are_possible_duplicates():
    """
    A call whose answer never came and an attempt of a process that was killed are counted alike, each once.
    """
    metrics = make()

    metrics(SesCalled("us-east-1", "SendRawEmail", "ambiguous", 0.07))
    metrics(AttemptsFound(("q-1", "q-2")))

    assert value(metrics, "ses_relay_possible_duplicates_total") == 3


def test_registered_at_start():
    """
    Every metric is on the first page, before anything happened.
    """
    page = make().render()[0].decode()

    for name, kind, _ in CONTRACT:
        assert f"# TYPE {name} {kind}\n" in page


def test_an_account_that_has_a_name_by_now_is_not_counted_twice():
    """
    What was told under ``unknown`` goes when the same region's account has been learnt.
    """
    metrics = make()
    metrics(events.SendingPaced("unknown", "us-east-1", 14.0, 200.0))
    metrics(events.SendingPaced("unknown", "eu-west-1", 14.0, None))
    metrics(events.SendingPaced("111111111111", "us-east-1", 12.0, None))

    samples = list(families(metrics)["ses_relay_send_rate_limit"].samples)
    assert {(sample.labels["account"], sample.labels["region"]): sample.value for sample in samples} == {
        ("unknown", "eu-west-1"): 14.0,
        ("111111111111", "us-east-1"): 12.0,
    }
    assert families(metrics)["ses_relay_quota_remaining"].samples == []


def test_an_account_that_nobody_sends_through_any_more_leaves_no_series_behind():
    """Its day would be as good as used up until the next start, and somebody be woken by that."""
    metrics = make()
    for account in ("111111111111", "888888888888"):
        metrics(events.SendingPaced(account, "us-east-1", 14.0, 3.0, 50_000.0))
    metrics(events.PaceForgotten("111111111111", "us-east-1"))
    metrics(events.PaceForgotten("222222222222", "us-east-1"))

    for name in ("ses_relay_send_rate_limit", "ses_relay_quota_remaining", "ses_relay_quota_recipients"):
        assert [sample.labels["account"] for sample in families(metrics)[name].samples] == ["888888888888"]


def test_a_source_that_is_read_no_more_leaves_no_series_behind():
    """Its ages would grow for ever, and somebody would be woken by them."""
    metrics = make()
    for source, arn in (("ses 1 us-east-1", IDENTITY), ("directory", "arn:aws:ses:us-east-1:2:identity/b.example")):
        metrics(PoliciesRefreshed("ok", {arn: 940.0}, source=source))
    metrics(events.RevocationStated("1", "us-east-1", 60.0))
    metrics(events.PoliciesForgotten("ses 1 us-east-1", "1", "us-east-1"))
    metrics(events.PoliciesForgotten("never heard of"))

    ages = families(metrics)["ses_relay_policy_age_seconds"].samples
    assert [sample.labels["identity"] for sample in ages] == ["arn:aws:ses:us-east-1:2:identity/b.example"]
    assert families(metrics)["ses_relay_policy_revocation_seconds"].samples == []


def test_feedback_counts_recipients_and_the_standing_is_of_those_that_are_configured():
    metrics = make()
    metrics(events.FeedbackHeard("billing", "bounce", 3))
    metrics(events.FeedbackHeard("nobody", "no-such-kind"))
    metrics(events.StandingChanged("billing", Standing.SUSPENDED, 1.0, "bounces"))
    metrics(events.StandingChanged("nobody", Standing.SUSPENDED, 1.0, "bounces"))
    metrics(events.QueueRead("nobody", "nothing", 2))

    heard = {tuple(each.labels.values()): each.value for each in families(metrics)["ses_relay_feedback"].samples}
    assert (heard["billing", "bounce"], heard["other", "other"]) == (3, 1)
    stands = {each.labels["delegate"]: each.value for each in families(metrics)["ses_relay_delegate_standing"].samples}
    assert (stands["billing"], "nobody" in stands) == (3, False)
    read = {tuple(each.labels.values()): each.value for each in families(metrics)["ses_relay_queue_messages"].samples}
    assert read["other", "other"] == 2


def test_nothing_else_is_registered():
    """
    What is not in the table is not on the page.
    """
    ours = {name for name in families(one_of_each()) if name.startswith("ses_relay_")}

    assert {name.removesuffix("_total") for name, _, _ in CONTRACT} == ours


def test_outcomes_and_reasons_are_closed_sets():
    """
    Those that were promised, in their order.
    """
    assert [outcome.value for outcome in Outcome] == TABLE["outcomes"]
    assert [reason.value for reason in Reason] == TABLE["reasons"]


def test_every_event_is_known():
    """
    Whatever may happen is either counted or, a note, left to the log on purpose.
    """
    counted = set(make()._count)

    assert set(events.Event.__args__) == counted | {events.Noted}


def test_promtool_has_no_complaint(tool: Callable[[str], str]):
    """
    Prometheus's own linter accepts names, types, units and help.
    """
    linter = tool("promtool")

    done = subprocess.run(
        [linter, "check", "metrics"], input=one_of_each().render()[0], capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_openmetrics_on_request():
    """
    A scraper that asks for OpenMetrics gets it, whole and in form.
    """
    body, content_type = one_of_each().render("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    parsed = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # the library left it untyped
    names = {family.name for family in parsed}

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert "ses_relay_messages_received" in names


@settings(deadline=None)
@given(st.text(max_size=60) | st.sampled_from(["application/openmetrics-text;version=nonsense", "text/plain;version="]))
def test_any_accept_field_gets_a_page(accept):
    """
    No Accept field makes the page fail.
    """
    body, content_type = make().render(accept)

    assert b"ses_relay_build_info" in body
    assert content_type.startswith(("text/plain", "application/openmetrics-text"))


def test_a_message_is_counted_once_everywhere():
    """
    One message that was sent: one received, one ended, its recipients, size and time once.
    """
    metrics = one_of_each()

    assert value(metrics, "ses_relay_messages_received_total", listener=LISTENER) == 1
    assert value(metrics, "ses_relay_messages_total", delegate="billing", outcome="accepted", reason="none") == 1
    assert value(metrics, "ses_relay_recipients_total", delegate="billing", outcome="accepted") == 2
    assert value(metrics, "ses_relay_message_bytes_sum") == 5120
    assert value(metrics, "ses_relay_transaction_seconds_count") == 1
    assert value(metrics, "ses_relay_transaction_seconds_sum") == pytest.approx(0.0931)
    assert value(metrics, "ses_relay_sessions", listener=LISTENER) == 0


def test_a_message_without_data_has_no_size():
    """
    A message that ended before DATA is counted, its size is not.
    """
    metrics = make()

    metrics(ended(size=None))

    assert value(metrics, "ses_relay_message_bytes_count") == 0
    assert total(metrics, "ses_relay_messages_total") == 1


def test_an_ambiguous_call_is_a_possible_duplicate():
    """
    A call whose answer never came is counted as what may arrive twice.
    """
    metrics = make()

    for result in ("sent", "ambiguous", "unavailable"):
        metrics(SesCalled("us-east-1", "SendRawEmail", result, 1.0))

    assert value(metrics, "ses_relay_possible_duplicates_total") == 1
    ambiguous = {"region": "us-east-1", "operation": "SendRawEmail", "result": "ambiguous"}
    assert value(metrics, "ses_relay_ses_requests_total", **ambiguous) == 1
    assert value(metrics, "ses_relay_ses_request_seconds_sum", **ambiguous) == 1.0


def test_an_exemplar_names_the_decision_behind_a_bucket():
    """
    OpenMetrics leads from a slow message to its log line; the same bucket has one a second.
    """
    metrics = make()
    slow = ended(id="slow")
    for event in (ended(id="fast"), ended(id="fast-too"), replace(slow, seconds=7.0)):
        metrics(event)
    metrics(JudgementTimed(0.00004, "judged"))
    metrics(ended(Ending(Outcome.REJECTED, Reason.POLICY_DENIED, Reply(554, (5, 7, 1), "no")), id="refused"))

    page = metrics.render("application/openmetrics-text")[0].decode()
    found = re.findall(r'^(\w+)\{[^}]*\} [\d.]+ # \{decision="([\w-]+)"\}', page, re.MULTILINE)

    assert set(found) == {
        ("ses_relay_transaction_seconds_bucket", "fast"),
        ("ses_relay_transaction_seconds_bucket", "slow"),
        ("ses_relay_decision_seconds_bucket", "judged"),
        ("ses_relay_messages_total", "refused"),
    }
    assert b"decision=" not in metrics.render()[0]


def test_exemplars_are_few():
    """
    One a second in each bucket, the last one for everything above.
    """
    now = [0.0]
    spread = Spread((0.1, 1.0), clock=lambda: now[0])

    for seconds in (0.1, 0.05, 0.2, 1.0, 5.0, 9.0):
        spread.observe(seconds, f"took {seconds}")
    assert examples_of(spread) == ["took 0.1", "took 0.2", "took 5.0"]

    now[0] = 1.0
    spread.observe(0.05, "took 0.05")
    assert examples_of(spread) == ["took 0.05", "took 0.2", "took 5.0"]


def test_a_scrape_in_a_thread_takes_what_is_counted_meanwhile_as_it_comes():
    """
    New series come while others are read; what was counted never falls, and a histogram's count is its last bucket's.
    """
    metrics = make(delegates=[f"d{number}" for number in range(100)])
    event = ended()
    pages: list[dict[tuple[str, ...], float]] = []

    def scrape() -> None:
        while len(pages) < 3 or sum(pages[-1].values()) < 1000:
            families = {family.name: family for family in parse(metrics.render()[0].decode())}
            pages.append({tuple(one.labels.values()): one.value for one in families["ses_relay_messages"].samples})
            times = {one.name: one.value for one in families["ses_relay_transaction_seconds"].samples}
            assert times["ses_relay_transaction_seconds_bucket"] == times["ses_relay_transaction_seconds_count"]

    with ThreadPoolExecutor(1) as threads:
        scraping = threads.submit(scrape)
        for number in range(1000):
            metrics(replace(event, delegate=f"d{number % 100}", outcome=Outcome.QUEUED))
        scraping.result(60)

    for before, after in pairwise(pages):
        assert all(after[series] >= count for series, count in before.items())


def examples_of(spread: Spread) -> list[str | None]:
    """The decision that each bucket names."""
    buckets, _ = spread.told()
    return [bucket[2].labels["decision"] if len(bucket) == 3 else None for bucket in buckets]


def test_troubles_end():
    """
    A check that is no longer there has nothing to say; names are of a closed set.
    """
    metrics = make()
    metrics(events.ReadinessSeen(is_ready=False, troubled={"certificate": True, "policies": True, "whatever": True}))
    assert value(metrics, "ses_relay_ready") == 0
    assert value(metrics, "ses_relay_trouble", check="certificate") == 1
    assert value(metrics, "ses_relay_trouble", check="other") == 1

    metrics(events.ReadinessSeen(is_ready=True, troubled={"policies": False}))
    assert value(metrics, "ses_relay_ready") == 1
    assert total(metrics, "ses_relay_trouble") == 0


def test_what_became_of_notifications_is_counted_apart():
    """
    A message that failed is no notification that failed.
    """
    metrics = make()
    for delegate in (NOTIFICATIONS, "billing"):
        metrics(Delivered(delegate, "refused", {}))
        metrics(Delivered(delegate, "sent", {}))
    metrics(events.NoticeWritten("not-kept"))

    for result, number in {"failed": 1, "sent": 1, "not-kept": 1, "queued": 0}.items():
        assert value(metrics, "ses_relay_notices_total", result=result) == number


def test_build_info_tells_the_version():
    """
    The one label that tells what runs.
    """
    [(_, named)] = [key for key in samples(make()) if key[0] == "ses_relay_build_info"]

    assert {"version", "python"} == set(dict(named))


def test_series_that_alerts_stand_on_begin_at_nought():
    """
    rate() does not see a series appear: each listener, delegate and refresh result is there from the start.
    """
    metrics = make()

    assert value(metrics, "ses_relay_messages_received_total", listener=LISTENER) == 0
    assert value(metrics, "ses_relay_observing", delegate="intern") == 0
    assert value(metrics, "ses_relay_messages_total", delegate="intern", outcome="accepted", reason="none") == 0
    assert value(metrics, "ses_relay_policy_refreshes_total", result="failed") == 0


# --- who is observed ---


def test_observing_ends_at_the_scrape_after_its_end():
    """
    Nobody has to tick; an end that is infinite never comes.
    """
    now = 1000.0
    metrics = make(clock=lambda: now)
    metrics(DelegatesObserved({"billing": 1060.0, "intern": math.inf}))

    assert value(metrics, "ses_relay_observing", delegate="billing") == 1
    now = 1060.0
    assert value(metrics, "ses_relay_observing", delegate="billing") == 0
    assert value(metrics, "ses_relay_observing", delegate="intern") == 1


def test_who_is_not_named_any_more_is_not_observed():
    """
    Each event stands for all delegates, and one that the configuration does not have is other.
    """
    metrics = make()
    metrics(DelegatesObserved({"billing": math.inf}))
    metrics(DelegatesObserved({"somebody": math.inf}))

    assert value(metrics, "ses_relay_observing", delegate="billing") == 0
    assert value(metrics, "ses_relay_observing", delegate="other") == 1
    metrics(DelegatesObserved({}))
    assert total(metrics, "ses_relay_observing") == 0


# --- ages ---


def test_policy_age_grows_between_refreshes():
    """
    The age is worked out at the scrape: nobody has to tick.
    """
    now = 1000.0
    metrics = make(clock=lambda: now)
    metrics(PoliciesRefreshed("ok", {IDENTITY: 940.0}, {}))
    first = value(metrics, "ses_relay_policy_age_seconds", identity=IDENTITY)

    now = 1300.0

    assert (first, value(metrics, "ses_relay_policy_age_seconds", identity=IDENTITY)) == (60.0, 360.0)


def test_a_failed_refresh_lets_policies_grow_old():
    """
    A source that fails does not make its identities vanish from the page.
    """
    metrics = make()
    metrics(PoliciesRefreshed("problems", {IDENTITY: 940.0}, {IDENTITY: 2}))

    metrics(PoliciesRefreshed("failed", why="the directory is gone"))

    assert value(metrics, "ses_relay_policy_age_seconds", identity=IDENTITY) == 60.0
    assert value(metrics, "ses_relay_policy_problems", identity=IDENTITY) == 2
    assert value(metrics, "ses_relay_policy_refreshes_total", result="failed") == 1


def test_a_refresh_replaces_only_its_own_source():
    """
    Identities that a source no longer lists go; those of another source stay.
    """
    metrics = make()
    metrics(PoliciesRefreshed("ok", {"arn:1": 990.0, "arn:2": 990.0}, source="one"))
    metrics(PoliciesRefreshed("ok", {"arn:3": 980.0}, source="two"))

    metrics(PoliciesRefreshed("ok", {"arn:2": 995.0}, source="one"))

    ages = {dict(named)["identity"]: age for (name, named), age in samples(metrics).items() if "policy_age" in name}
    assert ages == {"arn:2": 5.0, "arn:3": 20.0}


def test_a_clock_set_back_is_no_negative_age():
    """
    A policy that seems to come from the future is new.
    """
    metrics = make()

    metrics(PoliciesRefreshed("ok", {IDENTITY: 2000.0}))

    assert value(metrics, "ses_relay_policy_age_seconds", identity=IDENTITY) == 0.0


# --- labels ---

HOSTILE = ["x" * 5000, 'a"} 1\nevil 1', "\x00", "é", "", "ceo@example.com", "AKIASECRET", "../../etc"]


def test_ten_thousand_identities_stay_within_the_bound():
    """
    max_identities have a name, the rest are counted together: in counters, and the oldest of them in the gauge.
    """
    metrics = make(max_identities=50)
    arns = [f"{IDENTITY}{number}" for number in range(10_000)]
    metrics(PoliciesRefreshed("ok", {arn: 1000.0 - number for number, arn in enumerate(arns)}))

    for arn in reversed(arns):
        metrics(Judged("billing", arn, "from", "allowed", "enforce"))
        metrics(SesDisagreed(arn, "not-verified"))

    for name in ("decisions_total", "ses_disagreements_total", "policy_age_seconds", "policy_problems"):
        series = [named for sample, named in samples(metrics) if sample == f"ses_relay_{name}"]
        assert len(series) == 51, name
    assert total(metrics, "ses_relay_decisions_total") == 10_000
    # The last fifty were asked for first and keep their names; the oldest of the others is the one before them.
    assert value(metrics, "ses_relay_policy_age_seconds", identity=arns[-1]) == 9_999
    assert value(metrics, "ses_relay_policy_age_seconds", identity="other") == 9_949


def test_churning_identities_stay_within_the_bound():
    """
    Identities that come and go do not add up to more series than the bound: names are not given away twice.
    """
    metrics = make(max_identities=5)

    for generation in range(20):
        arns = [f"{IDENTITY}{generation}-{number}" for number in range(5)]
        metrics(PoliciesRefreshed("ok", dict.fromkeys(arns, 1000.0)))
        for arn in arns:
            metrics(Judged("billing", arn, "from", "allowed", "enforce"))

    assert len([1 for name, _ in samples(metrics) if name == "ses_relay_decisions_total"]) == 6
    assert len([1 for name, _ in samples(metrics) if name == "ses_relay_policy_age_seconds"]) == 5


def test_unreadable_policies_are_named_before_others():
    """
    When not all identities can have a name, those with problems do.
    """
    metrics = make(max_identities=2)
    arns = [f"{IDENTITY}{number}" for number in range(100)]

    metrics(PoliciesRefreshed("problems", dict.fromkeys(arns, 1000.0), {arns[70]: 3}))

    assert value(metrics, "ses_relay_policy_problems", identity=arns[70]) == 3
    assert value(metrics, "ses_relay_policy_problems", identity="other") == 0


def test_an_identity_that_nobody_lists_has_no_label():
    """
    An ARN that a client writes into a header is counted, but never named.
    """
    metrics = make()
    metrics(PoliciesRefreshed("ok", {IDENTITY: 1000.0}))

    for name in (*HOSTILE, "arn:aws:ses:us-east-1:888888888888:identity/made-up.example"):
        metrics(Judged("billing", name, "from", "not-allowed", "enforce"))
    metrics(Judged("billing", "-", "from", "not-allowed", "enforce"))

    named = {dict(found)["identity"] for name, found in samples(metrics) if name == "ses_relay_decisions_total"}
    assert {"other", "-"} == named


def test_what_is_told_with_how_often_counts_so_often():
    """
    As if it had been told one by one.
    """
    metrics = make()

    for times in (1, 3):
        metrics(MessageReceived(LISTENER, times))
        metrics(Judged("billing", "-", "from", "not-allowed", "enforce", times))
        metrics(Replied(LISTENER, "MAIL", 250, times))

    for name in ("ses_relay_messages_received_total", "ses_relay_decisions_total", "ses_relay_smtp_replies_total"):
        assert total(metrics, name) == 4


def test_an_identity_of_the_configuration_has_a_label_whatever_the_sources_list():
    """
    Nobody lists what a sealed owner has; what delegates are pinned to is known, since the start or since a reload.
    """
    metrics, pinned = make(identities=[IDENTITY]), [IDENTITY, "arn:aws:ses:us-east-1:1:identity/reload.example"]
    metrics.admit([], pinned)
    metrics(PoliciesRefreshed("ok", {"arn:aws:ses:us-east-1:1:identity/else.example": 1.0}))
    for identity in pinned:
        metrics(Judged("billing", identity, "from", "sealed", "enforce"))

        asked = {"delegate": "billing", "identity": identity, "role": "from", "verdict": "sealed", "mode": "enforce"}
        assert value(metrics, "ses_relay_decisions_total", **asked) == 1


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_words_become_other(word):
    """
    Whatever a client or a library comes up with: one more `other`, no new series, the page still parses.
    """
    metrics = make()
    before = set(samples(metrics))

    metrics(SessionOpened(word, word, word))
    metrics(Replied(word, word, 999))
    metrics(AuthTried(word, word, word, word))
    metrics(MessageReceived(word))
    metrics(MessageEnded(word, Outcome.ABORTED, Reason.CLIENT_GONE, 0, None, 0.1, {}))
    metrics(Judged(word, word, word, word, word))
    metrics(SesDisagreed(word, word))
    metrics(PoliciesRefreshed(word))

    new = set(samples(metrics)) - before
    assert {"other"} == {
        held for name, named in new for label, held in named if label not in {"le", "outcome", "reason"}
    }, new


def test_regions_and_operations_are_bounded():
    """
    They come from the configuration, whose words this room does not know: a bound and a form hold them.
    """
    metrics = make()

    for number in range(1000):
        metrics(SesCalled(f"region-{number}", f"Operation{number}", "sent", 0.1))
    for word in HOSTILE:
        metrics(SesCalled(word, word, "sent", 0.1))

    found = [dict(named) for name, named in samples(metrics) if name == "ses_relay_ses_requests_total"]
    assert len({named["region"] for named in found}) == labels.MOST_REGIONS + 1
    assert len({named["operation"] for named in found}) == labels.MOST_OPERATIONS + 1
    assert not {named["region"] for named in found} & set(HOSTILE)


# --- the sum ---

WORDS = st.sampled_from(["billing", "intern", "-", "gone", LISTENER, "", "PLAIN", "MAIL", "from", "ok", IDENTITY])
ENDS = st.builds(
    MessageEnded,
    delegate=WORDS,
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    recipients=st.integers(0, 50),
    size=st.none() | st.integers(0, 10**8),
    seconds=st.floats(0, 1000),
    record=st.just({}),
)
OTHERS = st.one_of(
    st.builds(SessionOpened, WORDS, WORDS, WORDS),
    st.builds(SessionClosed, WORDS, WORDS, WORDS),
    st.builds(Replied, WORDS, WORDS, st.integers(0, 999)),
    st.builds(AuthTried, WORDS, WORDS, WORDS, WORDS),
    st.builds(Judged, WORDS, WORDS, WORDS, WORDS, WORDS),
    st.builds(SesCalled, WORDS, WORDS, WORDS, st.floats(0, 100)),
    st.builds(SesDisagreed, WORDS, WORDS),
    st.builds(PoliciesRefreshed, WORDS, st.dictionaries(WORDS, st.floats(0, 2000)), st.dictionaries(WORDS, st.just(1))),
    st.builds(events.Noted, WORDS, WORDS),
)


@settings(deadline=None)
@given(st.lists(ENDS, max_size=20), st.lists(WORDS, min_size=20, max_size=20), st.lists(OTHERS, max_size=20))
def test_outcomes_sum_to_messages_received(ends, listeners, others):
    """
    Whatever happens, received = the sum over outcomes, and the same goes for recipients.
    """
    metrics = make()

    for listener, end in zip(listeners, ends, strict=False):
        metrics(MessageReceived(listener))
        for other in others:
            metrics(other)
        metrics(end)

    assert (
        len(ends) == total(metrics, "ses_relay_messages_received_total") == total(metrics, "ses_relay_messages_total")
    )
    assert sum(end.recipients for end in ends) == total(metrics, "ses_relay_recipients_total")


def test_a_delegate_of_a_reload_gets_its_own_label():
    """And the one that left keeps its series."""
    metrics = make()
    metrics(ended(delegate="newsletter"))
    metrics.admit(["newsletter", "billing"])
    metrics(ended(delegate="newsletter"))
    metrics(ended(delegate="intern"))
    page = metrics.render()[0].decode()
    for name in ("other", "newsletter", "intern"):
        assert re.search(rf'ses_relay_messages_total{{delegate="{name}",outcome="\w+",reason="[\w-]+"}} 1.0', page)


def test_what_was_other_gets_its_name_once_it_has_one():
    """
    A series that is remembered by what events say is never one of ``other``.
    """
    metrics = Metrics(delegates=["app"], listeners=[])
    question = Judged("late", IDENTITY, "from", "allowed", "enforce")
    metrics(question)

    metrics.admit(["late"])
    metrics(PoliciesRefreshed("ok", {IDENTITY: 0.0}))
    metrics(question)
    metrics(question)

    asked = {"role": "from", "verdict": "allowed", "mode": "enforce"}
    assert value(metrics, "ses_relay_decisions_total", delegate="other", identity="other", **asked) == 1
    assert value(metrics, "ses_relay_decisions_total", delegate="late", identity=IDENTITY, **asked) == 2
