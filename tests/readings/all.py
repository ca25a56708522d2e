"""Every reading, by its name, and the question that is put to all of them."""

from collections.abc import Iterable, Mapping
from typing import Final

from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from relay.mail.rewriting import rewrite
from tests.mail.letters import RECEIVED
from tests.readings.anyone import anyone
from tests.readings.cpython import compat32, modern
from tests.readings.go import net_mail
from tests.readings.jakarta import lenient, strict
from tests.readings.sight import Reading, Sight, Unreadable

READINGS: Final[Mapping[str, Reading]] = {
    "CPython compat32": compat32,
    "CPython default": modern,
    "Go": net_mail,
    "Jakarta strict": strict,
    "Jakarta lenient": lenient,
    "anyone": anyone,
}


def disagreements(raw: bytes, sent: bytes, facts: MessageFacts) -> list[str]:
    """
    Say who reads a message otherwise than it was judged: as it came (*raw*), or as it is *sent*. Nobody may give up.

    Judged are one author, the feedback address of Return-Path, and the values of the X-SES fields; sent is none of
    those but the author.
    """
    steering = sorted(facts.x_ses.items())
    arns = {
        "x-ses-source-arn": facts.source_arn,
        "x-ses-from-arn": facts.from_arn,
        "x-ses-return-path-arn": facts.return_path_arn,
    }
    steering += [(name, arn) for name, arn in arns.items() if arn is not None]
    found = []
    for name, reading in READINGS.items():
        came, left = _seen(reading, raw), _seen(reading, sent)
        if isinstance(came, str) or isinstance(left, str):
            found.append(f"{name} gives up: {came if isinstance(came, str) else left}")
            continue
        for when, sight in (("received", came), ("sent", left)):
            if sight.authors != (str(facts.author),):
                found.append(f"{name} reads {sight.authors} as author when {when}, judged was {facts.author}")
            if not set(sight.beside) <= {str(facts.author)}:
                found.append(f"{name} reads {sight.beside} beside the author when {when}")
        if left.steering or left.return_paths or left.bcc:
            found.append(f"{name} finds {left.steering or left.return_paths or 'Bcc'} when sent")
        if [path.lower() for path in came.return_paths] != [str(facts.return_path).lower()] * bool(facts.return_path):
            found.append(f"{name} reads Return-Path {came.return_paths}, judged was {facts.return_path}")
        if _plain(came.steering) != _plain(steering):
            found.append(f"{name} reads {came.steering}, judged was {steering}")
    return found


def _plain(steering: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names and values without what looks different to everybody: the blanks of a fold, and octets over 127."""
    return sorted((name, "".join(char for char in value if "!" <= char <= "~")) for name, value in steering)


def _seen(reading: Reading, raw: bytes) -> Sight | str:
    try:
        return reading(raw)
    except Unreadable as error:
        return str(error)


def named_by(name: str, raw: bytes) -> list[str]:
    """Whom one reader takes for the authors of *raw*; nobody where it gives up."""
    sight = _seen(READINGS[name], raw)
    return [] if isinstance(sight, str) else list(sight.authors)


def check_one_reading(raw: bytes) -> MessageFacts | None:
    """Assert that everybody reads an accepted message as it was judged. None where it is refused."""
    facts = read_facts(raw)
    if not isinstance(facts, MessageFacts):
        return None
    sent = rewrite(raw, facts, RECEIVED)
    assert isinstance(sent, bytes), sent
    found = disagreements(raw, sent, facts)
    assert not found, f"{raw!r}: {found}"
    return facts
