"""``explain --decision ID``: a decision of the past, out of the logs, judged again by the policies of then."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from relay.cli.explain_text import render
from relay.cli.policies import printable
from relay.journal.schema import JournalProblem
from relay.judgement.rules import Rules
from relay.owner.again import Again, judge_again
from relay.owner.catalogs import KeptText
from relay.owner.folder import texts_in
from relay.owner.log_lines import LineCount, LogProblem, records_of
from relay.owner.observed import HashedAddresses, NotReplayable, Observed
from relay.owner.policy_texts import PolicyTexts
from relay.owner.records import read_observed
from relay.settings.model import Settings
from relay.translation import CALLER, rules_of
from relay.words.delegates import Delegate


def explain_decision(
    decision: str, logs: Sequence[str], settings: Settings | None, folder: Path | None, *, as_json: bool
) -> int:
    """
    Print what the decision was and why.

    Texts of policies come from the journal's file and from *folder* (else policies.directory), by digest.

    Returns:
        The exit code: 0 when the message might go, 1 when not, or when there is no such decision.
    """
    record = _find(decision, logs)
    try:
        seen = read_observed(record)
    except HashedAddresses as problem:
        raise click.UsageError(str(problem)) from None
    again = None if isinstance(seen, NotReplayable) else _again(seen, settings, folder)
    told = _told(record, seen, again)
    click.echo(json.dumps(told, indent=2) if as_json else _text(told, colour=sys.stdout.isatty()))
    return 0 if not isinstance(seen, NotReplayable) and seen.answer.is_allowed else 1


def _find(decision: str, logs: Sequence[str]) -> Mapping[str, Any]:
    count = LineCount()
    try:
        for record in records_of(logs, count):
            if record.get("id") == decision:
                return record
    except LogProblem as problem:
        raise click.UsageError(str(problem)) from None
    raise click.ClickException(printable(f"no decision {decision} among {count.records} records"))


def _again(seen: Observed, settings: Settings | None, folder: Path | None) -> Again | None:
    if seen.answer.verdict == "sealed":
        return None
    rules = Rules() if settings is None else rules_of(settings)
    return judge_again(seen, _delegate(seen, settings), rules, _texts(seen, settings, folder))


def _delegate(seen: Observed, settings: Settings | None) -> Delegate:
    configured = settings.delegate if settings is not None else ()
    found = next((each for each in configured if each.name == seen.delegate), None)
    if found is None or (found.principal in {CALLER, None} and seen.principal is None):
        return seen.recorded_delegate()
    return found.to_delegate(seen.principal)


def _texts(seen: Observed, settings: Settings | None, folder: Path | None) -> list[KeptText]:
    kept: list[KeptText] = []
    if settings is not None and settings.journal.path is not None:
        digests = [digest for role in seen.roles for digest in role.digests]
        try:
            kept += PolicyTexts(settings.journal.path).texts(digests)
        except JournalProblem as problem:
            click.echo(f"warning: {problem}", err=True)
    root = folder or (settings.policies.directory if settings is not None else None)
    arns = [arn for role in seen.roles for arn in (role.identity, *role.agreeing) if arn is not None]
    return kept + (texts_in(root, arns) if root is not None else [])


def _told(record: Mapping[str, Any], seen: Observed | NotReplayable, again: Again | None) -> dict[str, Any]:
    return {
        "format": 1,
        "decision": record["id"],
        "time": record.get("time"),
        "delegate": record.get("delegate"),
        "principal": record.get("principal"),
        "outcome": record.get("outcome"),
        "reason": record.get("reason"),
        "reply": record.get("reply"),
        "recorded": [
            {key: row.get(key) for key in ("role", "address", "identity", "verdict", "why")} for row in record["roles"]
        ],
        "not_judged_again": _why_not(seen, again),
        "policies_gone": list(again.gone) if again is not None else [],
        "same_answer": None if again is None or not isinstance(seen, Observed) else _is_same(seen, again),
        "explanation": None if again is None else again.told,
    }


def _is_same(seen: Observed, again: Again) -> bool:
    return seen.answer.reason == again.answer.reason


def _why_not(seen: Observed | NotReplayable, again: Again | None) -> str | None:
    if again is not None:
        return None
    if isinstance(seen, NotReplayable):
        return seen.why
    return "SES alone judged it" if seen.answer.verdict == "sealed" else "no identity governed its addresses"


def _text(told: Mapping[str, Any], *, colour: bool) -> str:
    reply = told["reply"] or {}
    said = " ".join(str(reply[key]) for key in ("code", "status", "text") if reply.get(key))
    head = [
        f"decision {told['decision']} of {told['time']}: {told['outcome']}, {told['reason']}",
        f"  delegate {told['delegate']}, to AWS {told['principal']}",
        f"  the client heard: {said}",
    ]
    if told["not_judged_again"] is not None:
        head += [f"  {row['role']} {row['address']}: {row['verdict']}: {row['why'] or ''}" for row in told["recorded"]]
        return "\n".join(map(printable, [*head, f"  not judged again: {told['not_judged_again']}"]))
    head.append("  judged again by the policy texts of then" if not told["policies_gone"] else _gone(told))
    if not told["same_answer"]:
        head.append("  the answer differs from the recorded one: the settings are not those of then, or texts are gone")
    return "\n".join([*map(printable, head), "", render(told["explanation"], colour=colour).rstrip()])


def _gone(told: Mapping[str, Any]) -> str:
    digests = ", ".join(digest[:12] for digest in told["policies_gone"])
    return f"  judged again as far as the policy texts of then are kept; gone, by SHA-256: {digests}"


def when(time: float | None) -> str:
    """Write a time for people, in UTC."""
    return "-" if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
