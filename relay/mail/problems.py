"""How a broken rule becomes a refusal. Inside this room a rule is broken by raising; outside it is a value."""

from relay.mail.facts import MessageProblem
from relay.words.delegates import Repair
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import replace

_LONGEST_QUOTE = 60


class Broken(Exception):
    """A rule of the strict profile is broken. Never leaves this room: ``read_facts`` returns ``problem``."""

    def __init__(self, problem: MessageProblem) -> None:
        super().__init__(problem.rule)
        self.problem = problem


def broken_form(
    rule: str, text: str, *, status: tuple[int, int, int] = (5, 6, 0), repair: Repair | None = None
) -> Broken:
    """Build the refusal 550 for a broken *rule*: 5.6.0 form, 5.6.7 8-bit, 5.6.11 octets, 5.7.1 somebody else's name."""
    return _broken(rule, Reply(550, status, f"{text}{offer_of(repair)} ({rule})"), repair=repair)


def broken_bound(rule: str, text: str, *, repair: Repair | None = None) -> Broken:
    """Build the refusal 554 5.6.0: a line, or the MIME structure, is beyond a bound."""
    return _broken(rule, Reply(554, (5, 6, 0), f"{text}{offer_of(repair)} ({rule})"), repair=repair)


def offer_of(repair: Repair | None) -> str:
    """Name the repair that would help, as refusals do."""
    return "" if repair is None else f", or ask for the repair {repair}"


def without_offer(broken: Broken) -> Broken:
    """Build the same refusal for a message that the repair would not help."""
    problem = broken.problem
    reply = replace(problem.reply, text=problem.reply.text.replace(offer_of(problem.repair), ""))
    return Broken(replace(problem, reply=reply, repair=None))


def too_big(rule: str, text: str) -> Broken:
    """Build the refusal 552 5.3.4: the header section is too big."""
    return _broken(rule, Reply(552, (5, 3, 4), f"{text} ({rule})"), reason=Reason.SIZE)


def looping(text: str) -> Broken:
    """Build the refusal 554 5.4.6: the message goes round in circles (RFC 5321 section 6.3)."""
    return _broken("P2", Reply(554, (5, 4, 6), f"{text} (P2)"))


def _broken(rule: str, reply: Reply, *, reason: Reason = Reason.MESSAGE_FORM, repair: Repair | None = None) -> Broken:
    return Broken(MessageProblem(rule, reply, reason, repair))


def shown(found: bytes | str) -> str:
    """Quote what was found, with a blank before it, where it is short printable ASCII; else say nothing of it."""
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    if not text or len(text) > _LONGEST_QUOTE or not (text.isascii() and text.isprintable()):
        return ""
    return f" '{text}'"
