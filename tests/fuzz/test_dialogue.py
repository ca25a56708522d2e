"""
A state machine that speaks SMTP with the real door over TCP, two clients at once, in pieces cut anywhere: each reply is
the model's, each MAIL has one ending, and the counts agree.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from relay.observe.events import MessageEnded, MessageReceived, SessionClosed, SessionOpened
from tests.fuzz.conversation import ERRORS, GUESSES, JUNK, OCTETS, OVERSHOOT, RECIPIENTS, Command, Conversation
from tests.fuzz.times import TIMES, bounded
from tests.smtp.stage import DEMO, IMPLICIT, PLAIN, QUICK, STARTTLS, Client, Stage, stage

LISTENERS: dict[str, dict[str, Any]] = {
    "starttls": {"offers_tls": True, "plain_auth": False},
    "plain": {"offers_tls": False, "plain_auth": True},
    "demo": {"offers_tls": True, "plain_auth": True},
    "implicit": {"offers_tls": False, "plain_auth": False, "tls": True},
}
MAIL, RCPT, LETTER = "MAIL FROM:<app1@example.com>", "RCPT TO:<{}>", "From: app1@example.com\r\n\r\n"


def token(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


RIGHT, WRONG, FOR_ANOTHER = map(token, ("\0app1\0s3cret-app1", "\0app1\0guess", "ceo\0app1\0s3cret-app1"))


def known(verb: str, how: str, *lines: str) -> list[Command]:
    return [Command(line.encode("latin-1"), verb, how) for line in lines]


#: May be sent one behind the other without waiting (RFC 2920).
PIPELINED = [
    *known("greeting", "ehlo", "EHLO a.test", "ehlo [192.0.2.1]", "EHLO b.test "),
    *known("greeting", "helo", "HELO a.test"),
    *known("greeting", "nameless", "EHLO", "HELO "),
    *known("idle", "250 2.0.0", "NOOP", "noop anything"),
    *known("idle", "252 2.5.0", "VRFY ceo"),
    *known("idle", "501 5.5.4", "VRFY"),
    *known("idle", "214 2.0.0", "HELP"),
    *known("rset", "", "RSET", "rset"),
    *known("rset", "argument", "RSET now"),
    *known("unknown", "502 5.5.1", "EXPN list", "TURN", "XCLIENT ADDR=192.0.2.1"),
    *known("unknown", "500 5.5.1", "FOO", "", "MAILFROM:<app1@example.com>", "From: ceo@example.com", "."),
    *known("unknown", "500 5.5.2", "NOOP\0", "NOOP \x7f", "NÖOP", "NOOP" + " x" * 1200),
    *known("mail", "", MAIL, "mail from:<bounce@example.com> SIZE=10 BODY=8BITMIME"),
    *known("mail", "denied", "MAIL FROM:<ceo@example.com>", "MAIL FROM:<>"),
    *known("mail", "501 5.5.4", "MAIL", "MAIL TO:<a@b.example>"),
    *known("mail", "501 5.1.7", "MAIL FROM:app1@example.com", "MAIL FROM:<app1@example.com"),
    *known("mail", "555 5.5.4", MAIL + " RET=FULL"),
    *known("mail", "552 5.3.4", MAIL + " SIZE=99999999"),
    *(command for to in "abcde" for command in known("rcpt", f"{to}@rcpt.example", RCPT.format(f"{to}@Rcpt.EXAMPLE"))),
    *known("rcpt", "501 5.5.4", "RCPT", "RCPT FROM:<a@b.example>"),
    *known("rcpt", "501 5.1.3", "RCPT TO:a@b.example", "RCPT TO:<a@b>"),
    *known("rcpt", "553 5.1.3", 'RCPT TO:<"a b"@c.example>', "RCPT TO:<>"),
    *known("rcpt", "555 5.5.4", "RCPT TO:<a@b.example> NOTIFY=NEVER"),
]
HONEST = [
    command for command in PIPELINED if command.how[:1] != "5" and command.verb in ("mail", "rcpt", "rset", "idle")
]
#: Parts with the last word: nothing may follow in the same segment.
LAST = [
    *known("quit", "", "QUIT"),
    *known("quit", "argument", "QUIT now"),
    *known("foreign", "502 5.5.1", "BDAT 5 LAST"),
    *known("foreign", "521 5.5.1", "GET / HTTP/1.1"),
    *known("auth", "right", f"AUTH PLAIN {RIGHT}", f"auth plain {RIGHT}"),
    *known("auth", "wrong", f"AUTH PLAIN {WRONG}", f"AUTH PLAIN {FOR_ANOTHER}"),
    *known("auth", "501 5.5.2", "AUTH PLAIN !", f"AUTH PLAIN {token('no nul')}"),
    *known("auth", "501 5.5.4", f"AUTH PLAIN {RIGHT} {RIGHT}", "AUTH"),
    *known("auth", "504 5.5.4", "AUTH CRAM-MD5", "AUTH x y"),
    *known("starttls", "argument", "STARTTLS now"),
    *known("data", "argument", "DATA now"),
]  # fmt: skip
#: Messages as they follow 354, and the reply to each.
LETTERS = [
    ("250 2.0.0", LETTER + "hello\r\n.\r\n"),
    ("250 2.0.0", LETTER + "..\r\n...\r\n.. .\r\n\r\n.\r\n"),
    ("550 5.6.0", "no author\r\n.\r\n"),
    ("550 5.6.0", ".\r\n"),
    ("550 5.6.11", LETTER + "a\n.\n\r\n.\r\n"),
    ("550 5.6.11", LETTER + "a\r.\r\r\n.\r\n"),
    ("550 5.6.11", LETTER + "a\0\r\n.\r\n"),
    ("552 5.3.4", LETTER + "x" * OCTETS + "\r\n.\r\n"),
]

clients = st.sampled_from([0, 1])
commands = st.one_of(st.sampled_from(HONEST), st.sampled_from(HONEST), st.sampled_from(PIPELINED))
cuts: st.SearchStrategy[list[int]] = st.one_of(
    st.just([]), st.just([]), st.lists(st.integers(1, 12), min_size=1, max_size=8)
)


class Dialogue(RuleBasedStateMachine):
    """Two clients and what each should hear."""

    authority: Any
    new_loop: Callable[[], asyncio.AbstractEventLoop] = staticmethod(asyncio.new_event_loop)

    def __init__(self) -> None:
        super().__init__()
        self.loop = self.new_loop()
        self.stack = AsyncExitStack()
        self.models: list[Conversation] = []
        self.pairs: list[tuple[Client, Conversation]] = []

    def wait(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    @initialize(listeners=st.tuples(st.sampled_from(sorted(LISTENERS)), st.sampled_from(sorted(LISTENERS))))
    def open(self, listeners: tuple[str, str]) -> None:
        bounds: dict[str, Any] = {
            "errors": ERRORS,
            "junk_commands": JUNK,
            "auth_failures": GUESSES,
            "recipients": RECIPIENTS,
            "over_recipients_commands": OVERSHOOT,
            "message_bytes": OCTETS,
            "linger_seconds": 0.02,
        }
        doors = (STARTTLS, PLAIN, DEMO, IMPLICIT)
        entered = stage(self.authority, *doors, limits=QUICK, **bounds)
        self.stage: Stage = self.wait(self.stack.enter_async_context(entered))
        self.listeners = listeners
        for listener in listeners:
            self.connect(listener)

    def connect(self, listener: str) -> None:
        client = self.wait(self.stage.client(listener))
        model = Conversation(**LISTENERS[listener])
        assert self.wait(client.reply()).startswith("220")
        self.models.append(model)
        self.pairs.append((client, model))

    @rule(which=clients, said=st.lists(commands, min_size=1, max_size=6), cuts=cuts)
    def pipeline(self, which: int, said: list[Command], cuts: list[int]) -> None:
        self.come_again(which)
        self.say(which, said, cuts)

    @rule(which=clients, said=st.lists(commands, max_size=2), last=st.sampled_from(LAST), cuts=cuts)
    def pipeline_to_an_end(self, which: int, said: list[Command], last: Command, cuts: list[int]) -> None:
        self.come_again(which)
        self.say(which, [*said, last], cuts)

    @rule(which=clients, cuts=cuts)
    def become_known(self, which: int, cuts: list[int]) -> None:
        """EHLO, STARTTLS where it is offered, AUTH."""
        self.secure(which, cuts)
        self.say(which, known("auth", "right", f"AUTH PLAIN {RIGHT}"), cuts)

    @rule(which=clients, cuts=cuts)
    def start_tls(self, which: int, cuts: list[int]) -> None:
        client, _ = self.pairs[which]
        if self.say(which, known("starttls", "", "STARTTLS"), cuts)[-1:] == ["220 2.0.0"]:
            self.wait(client.start_tls(self.stage.tls))

    @rule(
        which=clients,
        name=st.sampled_from(["app1", "ceo"]),
        answer=st.sampled_from(["s3cret-app1", "guess", "*", "!"]),
        cuts=cuts,
    )
    def log_in(self, which: int, name: str, answer: str, cuts: list[int]) -> None:
        """LOGIN: a name, a password, each on its own line."""
        self.secure(which, cuts)
        if self.say(which, known("auth", "asks", "AUTH LOGIN"), cuts)[-1:] != ["334"]:
            return
        outcome = "right" if (name, answer) == ("app1", "s3cret-app1") else "wrong"
        words = {"*": ("501 5.7.0", "*"), "!": ("501 5.5.2", "!")}.get(answer, (outcome, token(answer)))
        self.say(which, known("auth", "asks", token(name)), cuts)
        self.say(which, known("auth", *words), cuts)

    @rule(which=clients, said=st.lists(commands, max_size=3), letter=st.sampled_from(LETTERS), cuts=cuts)
    def hand_in(self, which: int, said: list[Command], letter: tuple[str, str], cuts: list[int]) -> None:
        """DATA behind other commands, and a message if it may come."""
        self.come_again(which)
        self.deliver(which, said, letter, cuts)

    @rule(
        which=clients,
        said=st.lists(commands, max_size=3),
        letters=st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3),
        cuts=cuts,
    )
    def send_mail(self, which: int, said: list[Command], letters: list[tuple[str, str]], cuts: list[int]) -> None:
        """Whole transactions, pipelined as far as may be, other commands strewn in."""
        if not self.pairs[which][1].known:
            self.become_known(which, cuts)
        for letter in letters:
            start = [*known("rset", "", "RSET"), *known("mail", "", MAIL)]
            self.deliver(
                which, [*start, *known("rcpt", "a@rcpt.example", RCPT.format("a@Rcpt.example")), *said], letter, cuts
            )

    @rule(which=clients, said=st.lists(commands, max_size=3), word=st.sampled_from(["AUTH PLAIN", "STARTTLS", "DATA"]))
    def hurry(self, which: int, said: list[Command], word: str) -> None:
        """More in the same segment behind a command whose reply must be waited for."""
        self.come_again(which)
        self.say(which, said, [])
        _, model = self.pairs[which]
        if not model.is_over and model.must_wait(word):
            self.speak(which, f"{word}\r\nNOOP\r\n".encode(), [])
            self.hear(which, Command(b"", "data" if word == "DATA" else "hurried", "hurried"))

    @rule(which=clients, said=st.lists(commands, max_size=3), octets=st.sampled_from([b"", b"MAIL FR", b"DATA\r\n"]))
    def vanish(self, which: int, said: list[Command], octets: bytes) -> None:
        """Hang up, perhaps in the middle of a word or of a message."""
        self.come_again(which)
        self.say(which, said, [])
        client, model = self.pairs[which]
        if not model.is_over:
            self.speak(which, octets, [])
            self.wait(client.close())
            model.vanishes()

    def come_again(self, which: int) -> None:
        """Connect anew if the conversation is over."""
        if self.pairs[which][1].is_over:
            self.connect(self.listeners[which])
            self.pairs[which] = self.pairs.pop()

    def secure(self, which: int, cuts: list[int]) -> None:
        """Greet, and begin TLS where that is offered."""
        self.come_again(which)
        _, model = self.pairs[which]
        self.say(which, known("greeting", "ehlo", "EHLO c.test"), cuts)
        if model.offers_tls and not model.tls:
            self.start_tls(which, cuts)
            self.say(which, known("greeting", "ehlo", "EHLO c.test"), cuts)

    def deliver(self, which: int, said: list[Command], letter: tuple[str, str], cuts: list[int]) -> None:
        if self.say(which, [*said, *known("data", "", "DATA")], cuts)[-1:] == ["354"]:
            reply, octets = letter
            self.speak(which, octets.encode(), cuts)
            self.hear(which, Command(b"", "content", reply))

    def say(self, which: int, commands: list[Command], cuts: list[int]) -> list[str]:
        """Say all of it at once, and hear a reply to each. What should have been heard."""
        _, model = self.pairs[which]
        if model.is_over or not commands:
            return []
        self.speak(which, b"".join(command.line + b"\r\n" for command in commands), cuts)
        return [reply for command in commands for reply in self.hear(which, command)]

    def speak(self, which: int, octets: bytes, cuts: list[int]) -> None:
        client, _ = self.pairs[which]
        pieces = iter([*cuts, *cuts, *cuts])
        with suppress(ConnectionError):  # the door may hang up before all is said; whether it may is the model's to say
            self.wait(client.trickle(octets, lambda: next(pieces, len(octets))))

    def hear(self, which: int, command: Command) -> list[str]:
        client, model = self.pairs[which]
        expected = model.hears(command)
        for reply in expected:
            heard = self.wait(client.reply())
            assert heard.startswith(reply), (command, reply, heard)
        if expected and model.is_over:
            assert self.wait(client.reply()) == "CLOSED", command
        return expected

    def teardown(self) -> None:
        try:
            if self.models:
                self.check_books()
        finally:
            self.wait(self.stack.aclose())
            self.loop.close()

    def check_books(self) -> None:
        """Each MAIL has ended once, as the model says; each accepted message is there; the sums agree."""
        for which, (client, _) in enumerate(self.pairs):
            self.say(which, known("quit", "", "QUIT"), [])  # its reply is the next: there was none too many
            self.wait(client.close())
        self.wait(self.stage.settled())
        ended = self.stage.of(MessageEnded)
        assert len({event.record["id"] for event in ended}) == len(ended)
        assert len(self.stage.of(MessageReceived)) == len(ended) == sum(model.begun for model in self.models)
        assert Counter(str(event.outcome) for event in ended) == Counter(
            e for model in self.models for e in model.ended
        )
        taken = [tuple(map(str, envelope.forward_paths)) for _, envelope, _ in self.stage.reception.taken]
        assert Counter(taken) == Counter(paths for model in self.models for paths in model.handed_in)
        assert all(b"\n" not in raw.replace(b"\r\n", b"") for raw in self.stage.reception.raws)
        assert len(self.stage.of(SessionOpened)) == len(self.stage.of(SessionClosed)) == len(self.models)


@pytest.mark.timeout(240 if TIMES == 1 else 0)
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_door_answers_as_the_model_does(authority: Any, new_loop: Any, monkeypatch: pytest.MonkeyPatch):
    """On both loops: the relay's own is uvloop's, where that is to be had."""
    Dialogue.authority = authority
    monkeypatch.setattr(Dialogue, "new_loop", staticmethod(new_loop))
    run_state_machine_as_test(Dialogue, settings=bounded(50, stateful_step_count=30))


def test_a_refusal_is_forgotten_when_tls_begins(authority: Any):
    """What was said in clear has no say under TLS: a RCPT there follows no MAIL that was refused."""
    Dialogue.authority = authority
    machine = Dialogue()
    machine.open(("demo", "demo"))
    said = [*known("greeting", "ehlo", "EHLO a.test"), *known("auth", "right", f"AUTH PLAIN {RIGHT}")]
    machine.say(0, said, [])
    machine.say(0, known("mail", "denied", "MAIL FROM:<ceo@example.com>"), [])
    machine.start_tls(0, [])
    machine.say(0, known("rcpt", "a@rcpt.example", RCPT.format("a@rcpt.example")) * ERRORS, [])
    machine.teardown()
