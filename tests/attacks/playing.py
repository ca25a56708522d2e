"""Playing a case: what it heard, what reached SES, and what of it is wrong."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from tests.attacks.cases import Case
from tests.attacks.field import Client, Cut, Field, old_context, whole
from tests.system.recording_ses import Taken
from tests.system.relays import trusting

#: Cases that play at once, each on a connection of its own.
AT_ONCE: Final = 60
#: Nothing is waited for longer than this; most answers come within a millisecond.
PATIENCE_SECONDS: Final = 20

_LINE = re.compile(r"[2-5]\d\d[ -][\x20-\x7e]*")
_STATUS = re.compile(r"[2-5]\d\d[ -][245]\.\d{1,3}\.\d{1,3} ")
#: Replies that have no enhanced status: greetings, EHLO, and those that ask for more (RFC 2034 section 4).
_WITHOUT_STATUS: Final = ("220 relay.test", "250-relay.test", "250 relay.test", "334 ", "354 ")


@dataclass
class Played:
    """How a case went."""

    heard: list[str] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def play(at: Field, case: Case, cut: Cut = whole, *, clear: bool = False, listens: float = 0) -> Played:
    """
    Play *case* with its octets cut as *cut* says.

    Args:
        clear: AUTH without TLS, where that is not what the case is about.
        listens: Seconds in which to hear whether the relay says more, or hangs up, after its last answer.
    """
    played = Played()
    client = await at.opened(case.preamble, case.delegate, clear=clear)
    try:
        problem = await (_message if case.is_message else _dialogue)(at, case, client, cut)
        while listens and await client.reply(listens) not in ("CLOSED", "TIMEOUT"):
            pass
        played.heard, played.taken = client.heard, at.taken_from(client)
        played.problems = [*filter(None, [problem]), *reply_problems(client.heard)]
        if case.is_message:
            played.problems += [problem for each in played.taken for problem in forwarded_problems(case, each)]
    finally:
        await client.close()
        at.forget(client)
    return played


async def _message(at: Field, case: Case, client: Client, cut: Cut) -> str | None:
    reply = ""
    for number, step in enumerate(case.steps):
        with suppress(OSError):  # hung up on in the middle of it: the reply tells
            await client.sends(cut(number, case.octets(step)))
        reply = await client.reply(PATIENCE_SECONDS)
        if reply[0] not in "23":
            break
    number = len(at.taken_from(client))
    if case.is_right(reply, number):
        return None
    return f"want {case.data['expect']} {case.data['code']}, got {reply!r} and {number} forwarded"


async def _dialogue(at: Field, case: Case, client: Client, cut: Cut) -> str | None:
    for number, step in enumerate(case.steps):
        if problem := await _step_problem(case, client, step, cut(number, case.octets(step))):
            return problem
    if case.steps[-1].get("op") == "close" or case.data.get("forwarded") == "0 or 1":
        await asyncio.sleep(0.3)  # what was under way when it hung up
    number = len(at.taken_from(client))
    return None if case.may_forward(number) else f"{number} forwarded, want {case.data.get('forwarded')}"


async def _step_problem(case: Case, client: Client, step: Mapping[str, Any], pieces: Iterable[bytes]) -> str | None:
    match step.get("op"):
        case "close":
            client.vanish()
        case "shutdown_wr":
            client.shut()
        case "expect_closed":
            return None if await client.is_closed(PATIENCE_SECONDS) else "not closed"
        case "read_timeout":
            answer = await client.reply(0.3)
            return None if answer in ("TIMEOUT", "CLOSED") else f"unexpected {answer!r}"
        case "tls_handshake":
            return await _handshake_problem(client, step)
        case _:
            with suppress(OSError):
                await client.sends(pieces)
            if "expect" in step:
                answer = await client.reply(PATIENCE_SECONDS)
                if not re.match(case.wanted(step), answer):
                    return f"want {step['expect']} got {answer!r}"
    return None


async def _handshake_problem(client: Client, step: Mapping[str, Any]) -> str | None:
    try:
        await client.start_tls(old_context() if "max_version" in step else trusting())
    except OSError:
        return None
    return "a handshake below TLS 1.2 was taken" if step.get("expect") == "failure" else None


def reply_problems(heard: Iterable[str]) -> list[str]:
    """Every line of every reply is printable ASCII of at most 512 octets, and says its enhanced status."""
    replies = [reply for reply in heard if reply not in ("CLOSED", "TIMEOUT")]
    lines = [line for reply in replies for line in reply.split(" | ") if _LINE.match(line) or reply == line]
    wrong = [f"no line of a reply: {line!r}" for line in lines if not _LINE.fullmatch(line) or len(line) > 510]
    mute = [reply for reply in replies if not reply.startswith(_WITHOUT_STATUS) and not _STATUS.match(reply)]
    return wrong + [f"no enhanced status: {reply!r}" for reply in mute]


def forwarded_problems(case: Case, taken: Taken) -> list[str]:
    """What is wrong with a forwarded message: it owes three ARNs, its recipients, its body, and nothing that steers."""
    raw = case.raw
    body = (raw if raw.endswith(b"\r\n") else raw + b"\r\n").partition(b"\r\n\r\n")[2]
    wrong = {
        "a steering field or Bcc was forwarded": re.search(rb"(?im)^(x-ses-|bcc:|return-path:)", taken.head),
        "an ARN is missing": not all(taken.fields.get(name) for name in ("SourceArn", "FromArn", "ReturnPathArn")),
        f"destinations {taken.destinations}": sorted(taken.destinations) != sorted(set(case.recipients)),
        "the body changed": taken.body != body,
        "a bare CR, LF or NUL was forwarded": re.search(rb"\r(?!\n)|(?<!\r)\n|\0", taken.raw),
    }
    return [what for what, is_wrong in wrong.items() if is_wrong]


async def wrong_among(at: Field, cases: Iterable[Case], cut: Cut = whole) -> dict[str, list[str]]:
    """Play many at once; the problems of each case that has any."""
    return await _played_at_once(at, ((case.id, case, cut) for case in cases), clear=False)


async def wrong_when_split(at: Field, places: Iterable[tuple[Case, int, int]]) -> dict[str, list[str]]:
    """
    Play each case with one of its steps cut in two at an offset; the problems of those that have any.

    AUTH is spoken in clear where TLS is not what the case is about.
    """
    plays = ((f"{case.id}, step {number}, cut at {cut}", case, in_two(number, cut)) for case, number, cut in places)
    return await _played_at_once(at, plays, clear=True)


def in_two(step: int, at: int) -> Cut:
    """Cut one step at an offset, and no other."""
    return lambda number, octets: [octets[:at], octets[at:]] if number == step else [octets]


async def _played_at_once(at: Field, plays: Iterable[tuple[str, Case, Cut]], *, clear: bool) -> dict[str, list[str]]:
    """Play with so many players, each taking the next; a name for each play."""
    found: dict[str, list[str]] = {}
    waiting = iter(plays)

    async def player() -> None:
        for name, case, cut in waiting:
            try:
                played = await play(at, case, cut, clear=clear and case.preamble == "authed")
            except (OSError, AssertionError) as error:
                found[name] = [f"the player: {error!r}"]
            else:
                found.update({name: played.problems} if played.problems else {})

    await asyncio.gather(*(player() for _ in range(AT_ONCE)))
    return found
