"""What a proposed folder would change is counted exactly."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.judgement.rules import Rules
from relay.owner.folder import read_policy_folder
from relay.owner.observed import Answer, NotReplayable
from relay.owner.replay import Replay, kind_of_change
from relay.owner.report import Kind, Report
from relay.words.delegates import Delegate
from tests.owner.week import DELEGATES, OWNER, REGION, Week, edit


def replay(week: Week, policies: Path, *, settings: bool = True, **changes: Delegate) -> Report:
    """Judge the week by *policies*; with the delegates as the relay knows them, or by the records alone."""
    delegates = {**week.delegates, **changes}
    judge = Replay(
        read_policy_folder(policies, lambda: 0.0).catalog,
        Rules(),
        (lambda name, _principal: delegates.get(name)) if settings else None,
    )
    for record in week.records:
        judge.take(record)
    return judge.report()


def counts(report: Report) -> dict[tuple[str, str, str, str, str], int]:
    return {
        (group.kind.value, group.delegate, group.address, group.before, group.after): affected.count
        for group, affected in report.groups.items()
    }


def policy(root: Path, name: str) -> Path:
    return root / OWNER / REGION / "example.com" / f"{name}.json"


@pytest.mark.parametrize("settings", [True, False])
async def test_the_same_policies_change_nothing(week, policies, settings):
    """For every message of the week, refused at MAIL, for an account grant, for an unknown identity, or sent."""
    report = replay(week, policies, settings=settings)

    assert counts(report) == {}
    assert not report.has_changes
    assert report.messages == {"billing": 145, "newsletter": 125, "intern": 15}
    assert report.skipped == {NotReplayable.FORM: 10, NotReplayable.UNASKED: 5}
    assert report.by_account == (0 if settings else 105)


async def test_a_policy_that_is_gone_loses_its_mail(week, policies):
    policy(policies, "newsletter").unlink()

    report = replay(week, policies)

    assert counts(report) == {("loses", "newsletter", "news@example.com", "allowed", "policy-not-allowed"): 105}
    ((_, affected),) = report.groups.items()
    assert affected.examples == ["id00140", "id00141", "id00142"]
    assert "no policy names this principal" in affected.why
    assert affected.advice


async def test_wider_recipients_gain_what_was_refused_for_them(week, policies):
    condition = {
        "StringEquals": {"ses:FromAddress": "news@example.com"},
        "ForAllValues:StringLike": {"ses:Recipients": "*"},
        "Null": {"ses:Recipients": "false"},
    }
    edit(policies, "newsletter", Condition=condition)

    assert counts(replay(week, policies)) == {
        ("gains", "newsletter", "news@example.com", "policy-not-allowed", "allowed"): 12
    }


async def test_mail_is_judged_by_its_size_and_by_the_calls_it_took(policies):
    """Alike but for that, and remembered apart: a large one needs another action, one to many another condition."""
    week = Week(policies)
    await week.send("billing", "billing@example.com", times=2)
    await week.send("billing", "billing@example.com", *(f"r{n}@example.net" for n in range(51)), "ann@example.net")
    await week.send("billing", "billing@example.com", "ann@example.net", *(f"r{n}@example.net" for n in range(49)))
    week.records[1]["bytes"] = 12 << 20
    edit(policies, "billing", Action="ses:SendRawEmail")
    assert [affected.examples for affected in replay(week, policies).groups.values()] == [["id00001"]]

    edit(policies, "billing", Condition={"ForAnyValue:StringEquals": {"ses:Recipients": "ann@example.net"}})
    edit(policies, "billing", Action=["ses:SendRawEmail", "ses:SendEmail"])
    assert [affected.examples for affected in replay(week, policies).groups.values()] == [["id00002"]]


async def test_who_was_refused_at_mail_may_gain(week, policies):
    """Nobody saw the messages, so what their authors would have been is not known."""
    edit(policies, "intern", Effect="Allow")

    report = replay(week, policies)

    assert counts(report) == {("may-gain", "intern", "intern@example.com", "policy-denied", "heard"): 15}
    assert report.has_changes


async def test_a_deny_that_is_gone_leaves_another_reason(week, policies):
    policy(policies, "intern").unlink()

    report = replay(week, policies)

    assert counts(report) == {
        ("reason", "intern", "intern@example.com", "policy-denied", "policy-not-allowed"): 15,
    }
    assert report.has_changes


async def test_another_statement_with_the_same_answer_is_no_change(week, policies):
    """Renaming is told, and does not fail a build."""
    policy(policies, "billing").rename(policy(policies, "invoices"))

    report = replay(week, policies)

    assert set(counts(report)) == {
        ("statement", "billing", author, "billing/BillingSendsInvoices", "invoices/BillingSendsInvoices")
        for author in ["billing@example.com", *(f"invoices+{n}@example.com" for n in range(20))]
    }
    assert report.total(Kind.STATEMENT) == 140
    assert not report.has_changes


async def test_a_policy_that_cannot_be_read_loses(week, policies):
    policy(policies, "billing").write_text("{")

    report = replay(week, policies)

    assert report.total(Kind.LOSES, "billing") == 140
    assert {group.after for group in report.groups if group.kind is Kind.LOSES} == {"policy-undecided"}


async def test_an_identity_that_is_new_gains(week, policies):
    """What nobody had verified is judged again; the policies of what is verified now decide."""
    folder = policies / OWNER / REGION / "elsewhere.example"
    folder.mkdir()
    text = policy(policies, "billing").read_text().replace("identity/example.com", "identity/elsewhere.example")
    document = json.loads(text)
    del document["Statement"][0]["Condition"]
    (folder / "billing.json").write_text(json.dumps(document))
    edit(policies, "billing", Condition={"StringLike": {"ses:FeedbackAddress": "*@example.com"}})

    report = replay(week, policies)

    assert counts(report)["gains", "billing", "someone@elsewhere.example", "identity-unknown", "allowed"] == 2


async def test_the_settings_decide_who_a_delegate_is(week, policies):
    """A principal that the settings name takes the place of the recorded one; who is not in them is not judged."""
    other = replace(DELEGATES["billing"], principal="arn:aws:iam::111111111111:user/other")

    assert replay(week, policies, billing=other).total(Kind.LOSES, "billing") == 140

    judge = Replay(read_policy_folder(policies, lambda: 0.0).catalog, Rules(), lambda _name, _principal: None)
    for record in week.records:
        judge.take(record)
    assert judge.report().skipped[NotReplayable.DELEGATE] == 285


async def test_a_grant_that_hangs_on_the_settings_is_not_called_a_gain(policies):
    """Refused for want of account_grant: with the same policies nothing changes, with others it might."""
    week = Week(policies, delegates={"newsletter": replace(DELEGATES["newsletter"], account_grant=False)})
    await week.send("newsletter", "news@example.com", times=4)
    await week.send("newsletter", "events@example.com", mail_from="news@example.com", times=3)

    assert counts(replay(week, policies, settings=False)) == {}

    edit(policies, "newsletter", Condition={})
    assert counts(replay(week, policies, settings=False)) == {
        ("may-gain", "newsletter", "events@example.com", "policy-not-allowed", "allowed"): 3
    }


async def test_time_conditions_are_asked_at_the_time_of_the_mail(policies):
    """A policy that ended on Tuesday at noon allows what was sent before, and not what was sent after."""
    week = Week(policies)
    for _ in range(3):
        week.now = week.now.replace(hour=11, minute=0)
        await week.send("billing", "billing@example.com", times=120)
        week.now = week.now.replace(day=week.now.day + 1)
    edit(policies, "billing", Condition={"DateLessThan": {"aws:CurrentTime": "2026-11-17T12:00:00Z"}})

    (affected,) = replay(week, policies).groups.values()

    assert affected.count == 61 + 120  # Tuesday from noon on, and Wednesday
    assert affected.examples[0] == week.records[120 + 59]["id"]


async def test_mail_that_was_only_observed_is_judged_like_any_other(policies):
    intern = replace(DELEGATES["intern"], mode="observe")
    week = Week(policies, delegates={"intern": intern})
    await week.send("intern", "intern@example.com", times=7)

    assert counts(replay(week, policies)) == {}
    assert replay(week, policies).to_json()["observed"] == {"sent": 7, "still_refused": 7}

    edit(policies, "intern", Effect="Allow")
    assert counts(replay(week, policies)) == {("gains", "intern", "intern@example.com", "policy-denied", "allowed"): 7}
    assert replay(week, policies).to_json()["observed"] == {"sent": 7, "still_refused": 0}


async def test_mail_of_two_owners_of_which_one_was_sealed_waits_for_both(policies, tmp_path):
    """An answer by half of the policies would be none."""
    sealed = (("777777777777", REGION),)
    bounces = f"arn:aws:ses:{REGION}:777777777777:identity/bounces.example"
    own = replace(DELEGATES["billing"], is_caller=True, default_return_path_arn=bounces)
    week = Week(policies, delegates={"billing": own}, rules=Rules(sealed=frozenset(sealed)))
    await week.send("billing", "other@example.com", mail_from="b@bounces.example")
    assert [role["verdict"] for role in week.records[0]["roles"]] == ["not-allowed", "sealed"]

    assert replay(week, policies).skipped == {NotReplayable.SEALED: 1}
    (policies / "777777777777" / REGION / "bounces.example").mkdir(parents=True)
    assert replay(week, policies).judged == 1


async def test_mail_of_a_sealed_owner_is_judged_where_the_folder_knows_it(policies, tmp_path):
    arn = f"arn:aws:ses:{REGION}:{OWNER}:identity/example.com"
    own = Delegate("billing", DELEGATES["billing"].principal, is_caller=True, default_source_arn=arn)
    empty = tmp_path / "none"
    (empty / "777777777777" / REGION / "elsewhere.example").mkdir(parents=True)
    week = Week(empty, delegates={"billing": own}, rules=Rules(sealed=frozenset({(OWNER, REGION)})))
    await week.send("billing", "billing@example.com", times=2)
    await week.send("billing", "other@example.com", mail_from="billing@example.com", times=3)
    assert {role["verdict"] for record in week.records for role in record["roles"]} == {"sealed"}

    assert replay(week, empty).skipped == {NotReplayable.SEALED: 5}
    assert counts(replay(week, policies)) == {
        ("loses", "billing", "other@example.com", "sealed", "policy-not-allowed"): 3
    }


async def test_alike_mail_is_judged_once(week, policies, monkeypatch):
    """A week of a million lines costs as many judgements as there are different messages."""
    asked: Counter[str] = Counter()
    real = Replay._judge_anew

    def count(self: Replay, seen: Any, delegate: Delegate) -> Any:
        asked[seen.delegate] += 1
        return real(self, seen, delegate)

    monkeypatch.setattr(Replay, "_judge_anew", count)

    report = replay(week, policies)

    assert report.judged == 285
    assert asked == {"billing": 23, "newsletter": 3, "intern": 1}


async def test_the_report_is_whole_in_json(week, policies):
    policy(policies, "newsletter").unlink()

    told = json.loads(json.dumps(replay(week, policies).to_json()))

    assert told["changes"] is True
    assert (told["judged"], told["unchanged"]) == (285, 180)
    assert told["not_replayable"] == {"form": 10, "unasked": 5}
    assert told["totals"] == {"loses": 105, "gains": 0, "may-gain": 0, "reason": 0, "statement": 0}
    assert told["delegates"]["newsletter"]["loses"] == 105
    (group,) = told["groups"]
    assert group["first"] == "2026-11-16T02:21:00Z"
    assert group["last"] == "2026-11-16T04:05:00Z"


ALLOWED, DENIED, REFUSED = Answer("allowed", "none"), Answer("denied", "policy-denied"), Answer("refused", "x")


@pytest.mark.parametrize(
    ("before", "after", "doubtful", "kind"),
    [
        (ALLOWED, ALLOWED, False, None),
        (ALLOWED, DENIED, False, Kind.LOSES),
        (DENIED, ALLOWED, False, Kind.GAINS),
        (DENIED, ALLOWED, True, Kind.MAY_GAIN),
        (DENIED, Answer("heard", "none"), False, Kind.MAY_GAIN),
        (DENIED, REFUSED, False, Kind.REASON),
        (DENIED, DENIED, False, None),
        (DENIED, replace(DENIED, deciding=frozenset({"a/b"})), False, Kind.STATEMENT),
        (Answer("sealed", "none"), replace(ALLOWED, deciding=frozenset({"a/b"})), False, None),
    ],
)
def test_two_answers_compared(before, after, doubtful, kind):
    assert kind_of_change(before, after, doubtful=doubtful) is kind
