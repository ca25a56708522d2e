"""``ses-relay explain``: what would become of a message, and why, before it is sent."""

import email.utils
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, BinaryIO

import click

from relay.cli import batch
from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.explain_decision import explain_decision
from relay.cli.explain_text import render
from relay.cli.policies import policies_option, settings_if_any
from relay.judgement.explanation import to_json
from relay.judgement.message import Bulk, judge_early, judge_message
from relay.judgement.verdicts import Judgement
from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from relay.mail.received import date_time
from relay.mail.repairs import Plan, Repaired, explained, repair
from relay.settings.model import Settings
from relay.smtp.rehearsal import rehearse
from relay.translation import CALLER, directory_of, entries_of, hostname_of, limits_of, rules_of
from relay.walk import undecided
from relay.words.addresses import Address, AddressProblem, NullPath, ReversePath, parse_address
from relay.words.delegates import Delegate
from relay.words.transactions import Ending, Envelope


@click.command(short_help="What would become of a message, and why.")
@click.argument("files", nargs=-1, metavar="[MESSAGE | LOG...]")
@config_option
@click.option("--delegate", "name", help="Who sends it: a name of the settings.")
@click.option("--mail-from", help="The reverse-path; default: the author. Write '<>' for the null reverse-path.")
@click.option("--rcpt", multiple=True, help="A recipient; again for more. Default: the addresses in To and Cc.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--decision", metavar="ID", help="A decision of the past, which is in one of the LOGs.")
@policies_option
@click.option("--batch", "cases", type=click.File("rb"), help="Policy cases, one JSON object a line; - for stdin.")
def command(  # noqa: PLR0913  one for each option
    files: tuple[str, ...],
    config: Path | None,
    folder: Path | None,
    *,
    name: str | None,
    mail_from: str | None,
    rcpt: tuple[str, ...],
    as_json: bool,
    decision: str | None,
    cases: BinaryIO | None,
) -> None:
    """
    Say what the relay would answer to MESSAGE, an .eml file or - for stdin, and why.

    Every question that is asked, the identity that governs and what took precedence, each statement with the condition
    that failed and the value found, the reply, and what would make it pass. Exit code 0: it may go; 1: it may not.

    With --decision, a message of the past is judged again: as its decision record in a LOG tells, by the policy texts
    of then, which are found by their digests in the file of [journal] path and in the folder of policies.

    \b
    Examples:
      ses-relay explain invoice.eml -c relay.toml --delegate billing
      ses-relay explain invoice.eml --delegate billing --mail-from bounce@example.com --rcpt bob@example.net --json
      ses-relay explain --decision 7f3a29c1d04b55e8 -c relay.toml relay.log relay.log.1.gz
      ses-relay explain --batch cases.jsonl
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if cases is not None:
        sys.exit(batch.run(cases, sys.stdout))
    if decision is not None:
        if not files:
            raise click.UsageError("give the LOGs in which the decision is")
        sys.exit(explain_decision(decision, files, settings_if_any(config), folder, as_json=as_json))
    if len(files) != 1 or name is None:
        raise click.UsageError("give one MESSAGE and a --delegate, --decision ID and LOGs, or --batch CASES")
    message = click.File("rb").convert(files[0], None, click.get_current_context())
    settings = settings_or_exit(config)
    if folder is not None:
        settings = settings.model_copy(update={"policies": settings.policies.from_folder(folder)})
    delegate = _delegate(settings, name)
    told = _explain(_crlf(message.read()), settings, delegate, mail_from=mail_from, recipients=rcpt)
    click.echo(json.dumps(told, indent=2) if as_json else _text(told), nl=as_json)
    sys.exit(0 if told.get("permit") else 1)


def _explain(
    raw: bytes, settings: Settings, delegate: Delegate, *, mail_from: str | None, recipients: tuple[str, ...]
) -> dict[str, Any]:
    """Go the way of a message. What MAIL is told comes first, whatever the message is then."""
    named = recipients or _named_in(raw)
    repaired = _repaired(raw, len(set(named)), settings, delegate)
    facts = repaired if isinstance(repaired, Ending) else _facts(repaired, settings)
    made = {} if isinstance(repaired, Ending) else {"repairs": list(repaired.made)}
    judge = _Judge(settings, delegate)
    if isinstance(facts, MessageFacts):
        reverse_path = facts.author.with_domain_lowered() if mail_from is None else _reverse_path(mail_from)
        octets = 0 if isinstance(repaired, Ending) else len(repaired.raw)
        return judge.whole(facts, Envelope(reverse_path, _forward_paths(named)), octets) | made
    early = None if mail_from is None else judge.early(_reverse_path(mail_from))
    return _unread(facts, delegate) | made if early is None else to_json(early, delegate)


class _Judge:
    """Judges as reception does, by the policies as they are now."""

    def __init__(self, settings: Settings, delegate: Delegate) -> None:
        self._delegate = delegate
        self._rules = rules_of(settings)
        self._directory = directory_of(settings, lambda _event: None)
        self._directory.refresh()
        self._now = time.time()

    def early(self, reverse_path: ReversePath) -> Judgement | None:
        return judge_early(reverse_path, self._delegate, self._directory.catalog, self._rules, self._now)

    def whole(self, facts: MessageFacts, envelope: Envelope, octets: int) -> dict[str, Any]:
        """Trace every statement; a refusal at MAIL is what the client would hear."""
        bulk = Bulk(octets)
        whole = self._judge(facts, envelope, bulk)
        while (unknown := undecided(whole)) and self._directory.fetch(unknown):
            self._now = time.time()
            whole = self._judge(facts, envelope, bulk)
        early = self.early(envelope.reverse_path)
        heard = whole if early is None else replace(whole, permit=None, reply=early.reply, reason=early.reason)
        return to_json(heard, self._delegate, facts=facts, envelope=envelope)

    def _judge(self, facts: MessageFacts, envelope: Envelope, bulk: Bulk) -> Judgement:
        catalog, rules = self._directory.catalog, self._rules
        return judge_message(facts, envelope, self._delegate, catalog, rules, self._now, bulk=bulk, trace=True)


def _repaired(raw: bytes, recipients: int, settings: Settings, delegate: Delegate) -> Repaired | Ending:
    """Take the message in and make the delegate's repairs, as a running relay does."""
    limits, repairs = limits_of(settings), delegate.repair
    taken = rehearse(raw, recipients, limits, mends_line_feeds="bare-lf" in repairs)
    if isinstance(taken, Ending):
        return taken
    date, message_id = date_time(datetime.now(UTC)), f"<explain@{hostname_of(settings)}>"
    return repair(taken, Plan(repairs, limits.message_bytes, date, message_id))


def _facts(repaired: Repaired, settings: Settings) -> MessageFacts | MessageProblem:
    facts = read_facts(repaired.raw, Profile(own_name=hostname_of(settings)))
    return explained(facts, repaired) if isinstance(facts, MessageProblem) else facts


def _unread(refused: MessageProblem | Ending, delegate: Delegate) -> dict[str, Any]:
    """Tell of a message that is refused before anything in it is judged."""
    problem = refused if isinstance(refused, MessageProblem) else None
    return {
        "format": 1,
        "verdict": "malformed",
        "reason": str(refused.reason),
        "delegate": {"name": delegate.name, "principal": delegate.principal},
        "rule": problem and problem.rule,
        "repair": problem and problem.repair,
        "reply": str(refused.reply),
    }


def _text(told: dict[str, Any]) -> str:
    made = ", ".join(told.get("repairs", ()))
    return (f"repaired  {made}\n" if made else "") + _text_of_answer(told)


def _text_of_answer(told: dict[str, Any]) -> str:
    if told["verdict"] != "malformed":
        return render(told, colour=sys.stdout.isatty())
    rule = f"the message breaks rule {told['rule']} of the strict profile" if told["rule"] else "it is not even judged"
    return f"x REFUSED: {rule}.\n  the client would hear: {told['reply']}\n"


def _delegate(settings: Settings, name: str) -> Delegate:
    delegates = {entry.delegate.name: entry.delegate for entry in entries_of(settings, None)}
    if name not in delegates:
        raise click.UsageError(f"no delegate is named {name}; there are: {', '.join(sorted(delegates)) or 'none'}")
    if delegates[name].principal == CALLER:
        raise click.UsageError(f'the principal of {name} is "caller": only a running relay knows who that is')
    return delegates[name]


def _crlf(raw: bytes) -> bytes:
    """A file saved on this machine has LF where SMTP has CRLF; one with both is left as it is, to be judged so."""
    return raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")


def _reverse_path(text: str) -> ReversePath:
    return NullPath.NULL if text in ("", "<>") else _address(text, "--mail-from", maybe_on_a_host=True)


def _named_in(raw: bytes) -> tuple[str, ...]:
    """The addresses of To and Cc, as written."""
    head = BytesHeaderParser().parsebytes(raw.partition(b"\r\n\r\n")[0])
    found = email.utils.getaddresses([str(value) for field in ("To", "Cc") for value in head.get_all(field, [])])
    return tuple(address for _, address in found if address)


def _forward_paths(named: tuple[str, ...]) -> tuple[Address, ...]:
    if not named:
        raise click.UsageError("the message names no recipients in To or Cc: give --rcpt")
    return tuple(dict.fromkeys(_address(text, "recipient") for text in named))


def _address(text: str, where: str, *, maybe_on_a_host: bool = False) -> Address:
    try:
        return parse_address(text.strip("<>"), maybe_on_a_host=maybe_on_a_host).with_domain_lowered()
    except AddressProblem as problem:
        raise click.UsageError(f"{where}: {text}: {problem}") from problem
