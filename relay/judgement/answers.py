"""
Verdicts as replies: SES's own codes and wording where SES has one (SES Developer Guide, "Amazon SES SMTP issues").

Policies belong to somebody else: their values and Sids are quoted only where the operator set ``reveal = "full"``. A
reply fits a line of 512 octets (RFC 5321 section 4.5.3.1.5) with its decision id.
"""

from collections.abc import Sequence
from typing import Final

from relay.judgement.choice import Lack, Ungoverned
from relay.judgement.misses import Miss, doubted_key
from relay.judgement.questions import Question
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Role, Verdict
from relay.judgement.wording import alternatives, listed, wish
from relay.policy.answers import Mismatch, StatementTrace
from relay.words.apis import MOST_ENCODED, Api
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass

LONGEST_TEXT: Final = 425
LONGEST_WITH_ID: Final = 480

TOO_LARGE: Final = Reply(
    552, (5, 3, 4), f"Message is too long: SES takes {MOST_ENCODED[Api.V2] >> 20} MiB after base64 encoding"
)
NULL_REVERSE_PATH: Final = Reply(
    550, (5, 7, 1), "The null reverse-path is refused: SES needs a feedback address, give one in MAIL FROM"
)

_REASONS: Final = {
    Verdict.DENIED: Reason.POLICY_DENIED,
    Verdict.NOT_ALLOWED: Reason.POLICY_NOT_ALLOWED,
    Verdict.UNDECIDED: Reason.POLICY_UNDECIDED,
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who hears the reply, as what, and how much of a policy it may be told."""

    delegate: Delegate
    role: Role
    full: bool

    @classmethod
    def of(cls, delegate: Delegate, role: Role, rules: Rules) -> "Asker":
        """Take the delegate's own ``reveal``, else the rule for all."""
        return cls(delegate, role, (delegate.reveal or rules.reveal) == "full")


def with_id(reply: Reply, decision_id: str) -> Reply:
    """Add the decision's id to a refusal, inside its parentheses if it ends with them; the line stays within bounds."""
    mark = f"decision {decision_id})"
    text = reply.text
    joined = f"{text[:-1]}; {mark}" if text.endswith(")") else f"{text} ({mark}"
    if len(joined) > LONGEST_WITH_ID:
        joined = f"{_clip(text, LONGEST_WITH_ID - len(mark) - 2)} ({mark}"
    return Reply(reply.code, reply.enhanced, joined)


def access_denied(arn: IdentityArn, miss: Miss, asker: Asker) -> Reply:
    """DENIED or NOT_ALLOWED, as SES words it, with who asked as what and the nearest miss."""
    who, where = asker.delegate.principal, str(arn)
    frame = "Access denied: User `{}' is not authorized to perform `{}' on resource `{}'"
    head = frame.format(who, miss.action, where)
    if len(head) > LONGEST_TEXT - 100:
        head = frame.format(_clip(who, 110), miss.action, _clip(where, 110))
    return _refuse(554, head, asker, missed(miss, full=asker.full))


def undecided(why: str, asker: Asker) -> Reply:
    """451: what would decide is not known now; the client is to try again."""
    return _refuse(451, f"Sending authorization cannot be decided now: {why}", asker)


def not_verified(addresses: Sequence[str], regions: Sequence[str], detail: str, asker: Asker) -> Reply:
    """No identity governs these addresses, as SES words it."""
    place = ", ".join(region.upper() for region in regions)
    noun = "regions" if len(regions) > 1 else "region"
    head = "Message rejected: Email address is not verified. The following identities failed the check in "
    return _refuse(554, f"{head}{noun} {place}: {', '.join(addresses)}", asker, detail)


def ungoverned(question: Question, lack: Ungoverned, asker: Asker) -> Reply:
    """Answer a question for which no identity could be chosen."""
    match lack.lack:
        case Lack.UNKNOWN:
            return undecided(lack.why, asker)
        case Lack.FORM:
            return Reply(550, (5, 6, 0), _clip(lack.why, LONGEST_TEXT))
        case Lack.EIGHT_BIT:
            return Reply(550, (5, 6, 7), _clip(lack.why, LONGEST_TEXT))
        case Lack.UNVERIFIED:
            return not_verified([str(question.address)], lack.regions, lack.detail, asker)
        case Lack.NAMED:
            return _refuse(554, f"Message rejected: {lack.why}", asker)


def several_regions(regions: Sequence[tuple[Role, str]]) -> Reply:
    """Refuse a message whose identities live in different regions: SES is called in one."""
    places = ", ".join(f"{role}: {region}" for role, region in regions)
    return Reply(554, (5, 7, 1), f"Message rejected: its identities are in different regions ({places})")


def reason_of(verdict: Verdict, lack: Lack | None = None) -> Reason:
    """Name a refusal for metrics and records."""
    if lack in {Lack.FORM, Lack.EIGHT_BIT}:
        return Reason.MESSAGE_FORM
    if lack in {Lack.NAMED, Lack.UNVERIFIED}:
        return Reason.IDENTITY_UNKNOWN
    return _REASONS[verdict]


def missed(miss: Miss, *, full: bool) -> str:
    """Word the nearest miss: the key that failed and the message's own value; the policy's side only if *full*."""
    trace = miss.trace
    if trace is None:
        return "an explicit Deny applies" if miss.denies else "the identity has no policy that allows"
    at = f" in {trace.statement}" if full else ""
    if miss.denies:
        keys, why = _hangs_on(trace)
        unless = f", unless {keys} spares it, {why}" if keys else ""
        return f"an explicit Deny applies{at}{unless}"
    if miss.by_account:
        return f"only the delegate's whole account is granted{at}, which does not count without account_grant or a role"
    if trace.unknown:
        keys, why = _hangs_on(trace)
        return f"it hangs on {keys}, {why}{at}"
    return _mismatched(trace.mismatch, at, full=full) if trace.mismatch else "no policy allows it"


def _hangs_on(trace: StatementTrace) -> tuple[str, str]:
    """Name the keys that could turn a statement, none maybe, and say why they are open."""
    if (doubted := doubted_key(trace)) is not None:
        return doubted, "of which AWS does not say whether it matches"
    return ", ".join(trace.unknown), "which the relay does not know"


def _mismatched(mismatch: Mismatch, at: str, *, full: bool) -> str:
    wants = f"; {mismatch.element}{at} is {alternatives(mismatch.wanted)}" if full else ""
    match mismatch.element:
        case "Condition":
            asked = wish(mismatch.key, mismatch.operator, mismatch.wanted)
            return found(mismatch) + (f";{at.removeprefix(' in')} wants {asked}" if full else "")
        case "Principal":
            return f"no policy names this principal{wants}"
        case "Action" | "NotAction":
            return f"no policy for this principal allows this action{wants}"
        case _:
            return f"no policy for this principal is for this resource{wants}"


def found(mismatch: Mismatch) -> str:
    """Say what the message holds for the key that failed; the relay's own surroundings are not told."""
    key = mismatch.key or ""
    if mismatch.found is None:
        return f"{key} is absent"
    if not key.lower().startswith("ses:"):
        return f"{key} does not match"
    return f"{key} is {listed(mismatch.found) or 'empty'}"


def three_identities(names: Sequence[str]) -> Reply:
    """A large message whose author, feedback address and MAIL FROM belong to an identity each."""
    why = f"Message is too long: by {Api.V2}, as large messages go, SES takes two identities, not {', '.join(names)}"
    return Reply(552, (5, 3, 4), _clip(f"{why}; let MAIL FROM and Return-Path belong to one", LONGEST_TEXT))


def _refuse(code: int, head: str, asker: Asker, reason: str = "") -> Reply:
    tail = f" (delegate {asker.delegate.name}, {asker.role}"
    room = LONGEST_TEXT - len(tail) - 1
    text = _clip(head, room) + tail
    room = LONGEST_TEXT - len(text) - 3
    if reason and room > 20:
        text += "; " + _clip(reason, room)
    return Reply(code, (code // 100, 7, 1), text + ")")


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
