"""A whole relay, killed at each system call of taking, keeping, sending and settling; and the order of those calls."""

import re
from itertools import count

import pytest

from tests.spool.test_order import calls_of
from tests.system.relays import RunningRelay
from tests.torture.clients import SIZES, Answers, hand_over
from tests.torture.field import FULL, Field, MakeField, kill, strace, tampered, until_dead
from tests.torture.figures import Figures
from tests.torture.reckoning import reckon

pytestmark = pytest.mark.system

#: Calls that change what is promised or kept; which of them are the last, in every run of the suite and in full.
CALLS = {
    "fdatasync": ("fdatasync", 3, 1),
    "fsync": ("fsync", 1, 1),
    "rename": ("?rename,?renameat,?renameat2", 1, 1),
    "unlink": ("?unlink,?unlinkat", 1, 1),
    "pwrite": ("pwrite64", 24, 2),
    "send": ("?sendto,?sendmsg,write,writev", 13, 1),
}


def dies(field: Field, relay: RunningRelay, name: str, answers: Answers) -> bool:
    """Hand a small and a large message to a relay that is to be killed; tell whether it died of it."""
    replies = hand_over(relay.smtp, f"{name}-small", f"{name}-large", answers=answers)
    if len(replies) < 2:
        return until_dead(relay, lambda: False)
    return until_dead(relay, field.is_done)


@pytest.mark.parametrize("calls", CALLS)
def test_kill_9_at_each_system_call(make_field: MakeField, tracer: str, figures: Figures, calls: str) -> None:
    """
    Start after start on one spool, each relay killed at a later call than the one before, until one survives: what was
    answered 250 is at SES, and twice only if its call was under way (C2, C3, C4, C8).
    """
    field, answers = make_field("spool"), Answers()
    expression, *steps = CALLS[calls]
    kills = 0
    for number in count(1, steps[FULL]):
        relay = field.start()
        relay.wait_until(field.is_drained, "end of what the last death left")  # or it would be taken for poison
        with tampered(relay, tracer, expression, f"signal=KILL:when={number}"):
            is_dead = dies(field, relay, f"k{number}", answers)
        kill(relay)
        if not is_dead:
            break
        kills += 1
    field.drain()
    reckoning = reckon(kills, answers, field.ses.book(), field.relays)
    figures.add(f"kill -9 at system calls, {calls}", reckoning.rows())
    reckoning.check()
    assert kills >= 1
    assert len(answers.accepted) >= 2


@pytest.mark.parametrize("call", ["fdatasync", "connect"])
def test_kill_9_while_starting(make_field: MakeField, tracer: str, figures: Figures, call: str) -> None:
    """
    A relay that dies again and again while it opens the spool, takes over what others left, or connects to SES, keeps
    all of it; the attempt that was registered when it wanted to connect is made once (C6, C30).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(down=True)
    with field.running() as relay:
        names = [f"m{number}-{kind}" for number in range(3) for kind in SIZES]  # no one alone at three deaths
        hand_over(relay.smtp, *names, answers=answers)
        kill(relay)
    field.ses.be()
    kills = 0
    for number in count(1, 1 if FULL else 2):
        injected = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        relay = field.launch(strace(tracer, *injected))
        is_dead = until_dead(relay, field.is_drained)
        kill(relay)
        if not is_dead:
            break
        kills += 1
    field.drain()
    reckoning = reckon(kills + 1, answers, field.ses.book(), field.relays)
    figures.add(f"kill -9 while starting, {call}", reckoning.rows())
    reckoning.check()
    assert kills >= 1


def test_250_leaves_after_everything_is_synced(make_field: MakeField, tracer: str) -> None:
    """
    A loss of power cannot be had here: the log, and for a large message its file and folder before it, are synced when
    the reply is written to the client (C9).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(down=True)
    trace = field.folder / "trace"
    calls = "write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    with field.running(strace(tracer, "-e", f"trace={calls}", trace=trace)) as relay:
        hand_over(relay.smtp, "one-small", "two-large", answers=answers)
    assert len(answers.accepted) == 2
    made = calls_of(trace.read_text(errors="replace"))
    log, folder = f"<{field.spool}-wal>", f"<{field.spool}.messages>"
    for name, reply in answers.accepted.items():
        entry = reply.split()[-1]
        before = made[: at(made, "write|writev|sendto|sendmsg", "socket:", reply)]
        filed = 0
        if name.endswith("large"):
            written = last(before, "fsync", f"{field.spool}.messages/")
            renamed = last(before, "rename.*", f"{entry}.")
            filed = at(before, "fsync", folder, after=renamed)
            assert written < renamed, name
        kept = at(before, "pwrite64", log, entry, after=filed)
        at(before, "fdatasync", log, after=kept)  # what is written later, as of an attempt, need not be


def at(calls: list[tuple[str, str]], wanted: str, *words: str, after: int = -1) -> int:
    """The place of the first call behind *after* that is *wanted* and has all *words*."""
    fitting = (
        number
        for number, (name, arguments) in enumerate(calls)
        if number > after and re.fullmatch(wanted, name) and all(word in arguments for word in words)
    )
    found = next(fitting, None)
    assert found is not None, f"no {wanted} with {words}"
    return found


def last(calls: list[tuple[str, str]], wanted: str, word: str) -> int:
    """The place of the last call that is *wanted* and has *word*."""
    return len(calls) - 1 - at(calls[::-1], wanted, word)
