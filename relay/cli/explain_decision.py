"""``explain --decision ID``: a decision of the past, judged again by the policies of then, or of another time."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.explain_text import render
from relay.cli.policies import printable
from relay.journal.schema import JournalProblem
from relay.judgement.rules import Rules
from relay.owner.again import Again, judge_again, judge_at
from relay.owner.catalogs import InForce, KeptText
from relay.owner.folder import texts_in
from relay.owner.log_lines import LineCount, LogProblem
from relay.owner.observed import HashedAddresses, NotReplayable, Observed
from relay.owner.policy_texts import PolicyTexts
from relay.owner.recorded import Records
from relay.owner.records import read_observed
from relay.settings.model import Settings
from relay.translation import rules_of
from relay.words.arns import parse_identity_arn
from relay.words.delegates import CALLER, Delegate
from relay.words.values import dataclass

_DIFFERS: Final = "  the answer differs from the recorded one: the settings are not those of then, or texts are gone"


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    Where decisions and policies of the past are looked for.

    ``folder``: of policies, else policies.directory. ``at``: judge by the policies of another time, in seconds since
    the epoch; None for those by which it was decided.
    """

    records: Records
    settings: Settings | None = None
    folder: Path | None = None
    at: float | None = None

    @property
    def texts(self) -> PolicyTexts | None:
        """The policy texts in the file of the journal, if one is named."""
        named = self.settings.journal.path if self.settings is not None else None
        path = self.records.journal or named
        return None if path is None else PolicyTexts(path)


def explain_decision(decision: str, shelf: Shelf, *, as_json: bool) -> int:
    """
    Print what the decision was and why.

    Returns:
        The exit code: 0 when the message might go, 1 when not, or when there is no such decision.
    """
    record = _find(decision, shelf.records)
    try:
        seen = read_observed(record)
    except HashedAddresses as problem:
        raise click.UsageError(str(problem)) from None
    again = None if isinstance(seen, NotReplayable) else _again(seen, shelf)
    told = _told(record, seen, again, shelf.at)
    click.echo(json.dumps(told, indent=2) if as_json else _text(told, colour=sys.stdout.isatty()))
    if isinstance(seen, NotReplayable):
        return 1
    answer = seen.answer if again is None or shelf.at is None else again.answer
    return 0 if answer.is_allowed else 1


def _find(decision: str, records: Records) -> Mapping[str, Any]:
    count = LineCount()
    try:
        record = records.find(decision, count)
    except (LogProblem, JournalProblem) as problem:
        raise click.UsageError(str(problem)) from None
    if record is None:
        raise click.ClickException(printable(f"no decision {decision} among {count.records} records"))
    return record


def _again(seen: Observed, shelf: Shelf) -> Again | None:
    rules = Rules() if shelf.settings is None else rules_of(shelf.settings)
    delegate = _delegate(seen, shelf.settings)
    if shelf.at is not None:
        return judge_at(seen, delegate, rules, _in_force(seen, shelf, shelf.at), shelf.at)
    return None if seen.answer.verdict == "sealed" else judge_again(seen, delegate, rules, _texts(seen, shelf))


def _in_force(seen: Observed, shelf: Shelf, at: float) -> dict[tuple[str, str], InForce]:
    """Find what was in force; leave where nobody looked then."""
    if shelf.texts is None:
        raise click.UsageError("--at needs the policy texts of then: give --journal FILE, or -c with [journal] path")
    try:
        found = shelf.texts.in_force(at)
    except JournalProblem as problem:
        raise click.UsageError(str(problem)) from None
    arns = [parse_identity_arn(role.identity) for role in seen.roles if role.identity is not None]
    missing = sorted({f"{arn.account} in {arn.region}" for arn in arns if (arn.account, arn.region) not in found})
    if missing or not found:
        whose = f" of {', '.join(missing)}" if missing else ""
        raise click.ClickException(printable(f"what policies{whose} were in force at {when(at)} UTC is not known here"))
    return found


def _delegate(seen: Observed, settings: Settings | None) -> Delegate:
    configured = settings.delegate if settings is not None else ()
    found = next((each for each in configured if each.name == seen.delegate), None)
    if found is None or (found.principal in {CALLER, None} and seen.principal is None):
        return seen.recorded_delegate()
    return found.to_delegate(seen.principal)


def _texts(seen: Observed, shelf: Shelf) -> list[KeptText]:
    kept: list[KeptText] = []
    if shelf.texts is not None:
        digests = [digest for role in seen.roles for digest in role.digests]
        try:
            kept += shelf.texts.texts(digests)
        except JournalProblem as problem:
            click.echo(f"warning: {problem}", err=True)
    root = shelf.folder or (shelf.settings.policies.directory if shelf.settings is not None else None)
    arns = [arn for role in seen.roles for arn in (role.identity, *role.agreeing) if arn is not None]
    return kept + (texts_in(root, arns) if root is not None else [])


def _told(
    record: Mapping[str, Any], seen: Observed | NotReplayable, again: Again | None, at: float | None
) -> dict[str, Any]:
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
        "policies_of": None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
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
    head.append(_by_what(told))
    if not told["same_answer"]:
        head.append(_DIFFERS if told["policies_of"] is None else "  the answer would have been another one")
    return "\n".join([*map(printable, head), "", render(told["explanation"], colour=colour).rstrip()])


def _by_what(told: Mapping[str, Any]) -> str:
    then = "of then" if told["policies_of"] is None else f"in force at {told['policies_of']}"
    if not told["policies_gone"]:
        return f"  judged again by the policy texts {then}"
    digests = ", ".join(digest[:12] for digest in told["policies_gone"])
    return f"  judged again as far as the policy texts {then} are kept; gone, by SHA-256: {digests}"


def when(time: float | None) -> str:
    """Write a time for people, in UTC."""
    return "-" if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
