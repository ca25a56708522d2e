"""
A model of the SMTP dialogue, written from the RFCs and the published limits, not from the door's code: what is heard
after each command, when the conversation ends, and what becomes of every message.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

#: The bounds that the model shares with the door under test, small enough to be reached.
ERRORS, JUNK, GUESSES, RECIPIENTS, OVERSHOOT, OCTETS = 7, 16, 3, 3, 2, 2000

Ending = Literal["accepted", "rejected", "aborted"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command line as it is sent, and what it means: ``verb`` such as ``mail``, ``how`` such as ``refused``."""

    line: bytes
    verb: str
    how: str = ""


@dataclass(slots=True)
class Conversation:
    """
    One connection, from the door's side.

    ``begun`` counts the messages received, ``ended`` how each has ended, ``handed_in`` the recipients of each accepted.
    """

    offers_tls: bool
    plain_auth: bool
    greeted: bool = False
    extended: bool = False
    tls: bool = False
    known: bool = False
    is_over: bool = False
    recipients: list[str] | None = None
    rcpt_commands: int = 0
    rcpt_refused: bool = False
    mail_refused: bool = False
    errors: int = 0
    junk: int = 0
    guesses: int = 0
    begun: int = 0
    ended: list[Ending] = field(default_factory=list)
    handed_in: list[tuple[str, ...]] = field(default_factory=list)

    def hears(self, command: Command) -> list[str]:
        """Return the replies to *command*, code and status of each; the last is the last there is if ``is_over``."""
        if self.is_over:
            return []
        return list(_HEARD[command.verb](self, command.how))

    def vanishes(self) -> None:
        """The client hangs up, or the door does."""
        self.is_over = True
        self._give_up()

    def must_wait(self, word: str) -> bool:
        """Whether nothing may come behind *word* in its segment: its reply may change what the next octets mean."""
        return word != "STARTTLS" or (self.offers_tls and not self.tls and self.recipients is None)

    # Replies that count

    def _wrong(self, reply: str) -> Iterator[str]:
        """An error of the client's making; too many are its last."""
        self.errors += 1
        if self.errors >= ERRORS:
            yield from self._goodbye("421 4.7.0")
        else:
            yield reply

    def _goodbye(self, reply: str) -> Iterator[str]:
        yield reply
        self.vanishes()

    def _idles(self) -> bool:
        """Count a command that brings no message nearer; whether it was one too many."""
        self.junk += 1
        return self.junk >= JUNK

    def _give_up(self) -> None:
        if self.recipients is not None:
            self.ended.append("rejected" if self.rcpt_refused and not self.recipients else "aborted")
        self.recipients = None

    # Commands

    def greeting(self, how: str) -> Iterator[str]:
        """EHLO and HELO: a new beginning, also in the middle of a transaction (RFC 5321 section 4.1.4)."""
        if self._idles():
            yield from self._goodbye("421 4.7.0")
        elif how == "nameless":
            yield from self._wrong("501 5.5.4")
        else:
            self._give_up()
            self.greeted, self.extended, self.mail_refused = True, how == "ehlo", False
            yield "250"

    def idle(self, how: str) -> Iterator[str]:
        """NOOP, VRFY and HELP: nothing happens."""
        if self._idles():
            yield from self._goodbye("421 4.7.0")
        elif how == "501 5.5.4":
            yield from self._wrong(how)
        else:
            yield how

    def rset(self, how: str) -> Iterator[str]:
        """RSET ends the transaction."""
        if self._idles():
            yield from self._goodbye("421 4.7.0")
        elif how == "argument":
            yield from self._wrong("501 5.5.4")
        else:
            self._give_up()
            self.mail_refused = False
            yield "250 2.0.0"

    def unknown(self, how: str) -> Iterator[str]:
        """Anything that is no command of ours; ``how`` is the reply."""
        yield from self._wrong(how)

    def foreign(self, how: str) -> Iterator[str]:
        """A command after which nothing can be understood."""
        yield from self._goodbye(how)

    def quit(self, how: str) -> Iterator[str]:
        """QUIT."""
        if how == "argument":
            yield from self._wrong("501 5.5.4")
        else:
            yield from self._goodbye("221 2.0.0")

    def mail(self, how: str) -> Iterator[str]:
        """MAIL: whatever is answered, a message has been received; one that is refused has ended."""
        self.begun += 1
        self.mail_refused = False
        wrong, verdict = self._mail_is_wrong(how), _VERDICTS.get(how)
        if wrong:
            self.ended.append("rejected")
            yield from self._wrong(wrong)
        elif verdict:
            self.ended.append("rejected")
            self.mail_refused = True
            yield verdict
        else:
            self.recipients, self.rcpt_commands, self.rcpt_refused = [], 0, False
            yield "250 2.1.0"

    def _mail_is_wrong(self, how: str) -> str:
        if not self.greeted or self.recipients is not None:
            return "503 5.5.1"
        if not self.known:
            return "530 5.7.0"
        return how if how[:1] == "5" and how not in _VERDICTS else ""

    def rcpt(self, how: str) -> Iterator[str]:
        """RCPT; ``how`` is the address, or the reply to a bad one."""
        if self.recipients is None:
            yield from self._without_mail()
            return
        self.rcpt_commands += 1
        is_flood = self.rcpt_commands > RECIPIENTS + OVERSHOOT
        self.rcpt_refused |= how[:1] == "5"
        if is_flood:
            yield from self._wrong(how if how[:1] == "5" else "452 4.5.3")
        elif how[:1] == "5":
            yield how
        elif how not in self.recipients and len(self.recipients) >= RECIPIENTS:
            yield "452 4.5.3"
        else:
            if how not in self.recipients:
                self.recipients.append(how)
            yield "250 2.1.5"

    def _without_mail(self) -> Iterator[str]:
        """Pipelined behind a MAIL that was refused, it is no error (RFC 2920 section 3.1)."""
        if not self.mail_refused:
            yield from self._wrong("503 5.5.1")
        elif self._idles():
            yield from self._goodbye("421 4.7.0")
        else:
            yield "503 5.5.1"

    def data(self, how: str) -> Iterator[str]:
        """DATA; ``how`` says what follows the 354, or that nothing may."""
        if how == "hurried":
            self.ended += ["rejected"] * (self.recipients is not None)
            self.recipients = None
            yield from self._goodbye("554 5.5.1")
        elif how == "argument":
            yield from self._wrong("501 5.5.4")
        elif self.recipients is None:
            yield from self._without_mail()
        elif not self.recipients:
            yield from self._wrong("554 5.5.1" if self.rcpt_refused else "503 5.5.1")
        else:
            yield "354"

    def content(self, how: str) -> Iterator[str]:
        """The octets of a message; ``how`` is the reply to it."""
        recipients, self.recipients = self.recipients or [], None
        if how == "250 2.0.0":
            self.ended.append("accepted")
            self.handed_in.append(tuple(recipients))
            self.errors = self.junk = 0
        else:
            self.ended.append("rejected")
        yield how

    def auth(self, how: str) -> Iterator[str]:
        """AUTH; ``how`` is what it comes to, or the reply to one without form."""
        if not self.extended:
            yield from self._wrong("503 5.5.1")
        elif not (self.tls or self.plain_auth):
            yield from self._wrong("538 5.7.11" if self.offers_tls else "502 5.5.1")
        elif self.known or self.recipients is not None:
            yield from self._wrong("503 5.5.1")
        elif how == "right":
            self.known = True
            yield "235 2.7.0"
        elif how == "wrong":
            yield from self._guesses()
        elif how == "asks":
            yield "334"
        else:
            yield from self._wrong(how)

    def _guesses(self) -> Iterator[str]:
        self.guesses += 1
        replies = list(self._wrong("535 5.7.8"))
        yield from replies
        if not self.is_over and self.guesses >= GUESSES:
            yield from self._goodbye("421 4.7.0")

    def starttls(self, how: str) -> Iterator[str]:
        """STARTTLS; on 220 a handshake follows, and all that was said is forgotten (RFC 3207 section 4.2)."""
        if self.tls:
            yield from self._wrong("503 5.5.1")
        elif not self.offers_tls:
            yield from self._wrong("502 5.5.1")
        elif how == "argument":
            yield from self._wrong("501 5.5.4")
        elif self.recipients is not None:
            yield from self._wrong("503 5.5.1")
        else:
            self.tls, self.greeted, self.extended, self.known, self.mail_refused = True, False, False, False, False
            yield "220 2.0.0"

    def hurried(self, how: str) -> Iterator[str]:
        """AUTH or STARTTLS with more behind it in one segment."""
        yield from self._goodbye("554 5.5.1")


#: What is said of a message at MAIL, and no error of the dialogue: not permitted, or too large.
_VERDICTS: Final = {"denied": "550 5.7.1", "552 5.3.4": "552 5.3.4"}
_HEARD: Final = {
    "auth": Conversation.auth,
    "content": Conversation.content,
    "data": Conversation.data,
    "foreign": Conversation.foreign,
    "greeting": Conversation.greeting,
    "hurried": Conversation.hurried,
    "idle": Conversation.idle,
    "mail": Conversation.mail,
    "quit": Conversation.quit,
    "rcpt": Conversation.rcpt,
    "rset": Conversation.rset,
    "starttls": Conversation.starttls,
    "unknown": Conversation.unknown,
}
