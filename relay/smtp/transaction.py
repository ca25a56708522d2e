"""One message, from MAIL to its one ending."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from relay.observe.events import Incident, MessageEnded, MessageReceived, Observer
from relay.smtp.ports import MakeRecord
from relay.words.addresses import Address, ReversePath
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session

#: There are as many as listeners.
_received: Final = lru_cache(64)(MessageReceived)
#: Nobody hears this reply: the client reset, quit or vanished. RFC 3463 X.4.2, bad connection.
_UNHEARD: Final = Reply(451, (4, 4, 2), "Transaction given up by the client")


def ending_of(reply: Reply, reason: Reason) -> Ending:
    """Name the ending of a message by a reply of our own: 5xx rejected, 4xx deferred."""
    return Ending(Outcome.REJECTED if reply.is_permanent else Outcome.DEFERRED, reason, reply)


class Transaction:
    """
    A received message. Made when MAIL is answered, whatever the answer, and ended exactly once: the second call of
    :meth:`end` and all later ones say nothing.
    """

    __slots__ = (
        "_ended",
        "_envelope",
        "_make_record",
        "_monotonic",
        "_observe",
        "_since",
        "declared",
        "domain_patience",
        "forward_paths",
        "id",
        "rcpt_commands",
        "refusal",
        "reverse_path",
        "session",
        "size",
    )

    def __init__(
        self,
        session: Session,
        *,
        listener: str,
        message_id: str,
        observe: Observer,
        make_record: MakeRecord,
        monotonic: Callable[[], float],
    ) -> None:
        self.id = message_id
        self.reverse_path: ReversePath | None = None
        self.forward_paths: dict[Address, None] = {}  # in the order of RCPT, duplicates merged
        self.rcpt_commands = 0
        self.domain_patience = 0.0  # seconds that its recipients may still wait for the DNS
        self.refusal: Ending | None = None  # of the last RCPT that was refused
        self.declared = 0  # octets as SIZE says
        self.size: int | None = None  # octets of DATA so far
        self.session = session
        self._observe = observe
        self._make_record = make_record
        self._monotonic = monotonic
        self._since = monotonic()
        self._ended = False
        self._envelope: Envelope | None = None
        observe(_received(listener))

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it got; None before a reverse-path."""
        if self._envelope is None and self.reverse_path is not None:
            self._envelope = Envelope(self.reverse_path, tuple(self.forward_paths), self.id)
        return self._envelope

    def add(self, forward_path: Address) -> None:
        """Take a recipient."""
        self.forward_paths[forward_path] = None
        self._envelope = None

    def sealed(self) -> Envelope:
        """
        Return the whole envelope, for a message that is handed on.

        Raises:
            ValueError: Its MAIL was refused; ours, not the client's.
        """
        envelope = self.envelope
        if envelope is None:
            raise ValueError("a message without a reverse-path is not handed on")
        return envelope

    def abandon(self, farewell: Reply | None = None) -> None:
        """
        End what the client gave up, or did not bring to its end before its *farewell*: aborted, or as its recipients
        were refused if none was taken.
        """
        if self.refusal is not None and not self.forward_paths:
            self.end(self.refusal)
        else:
            self.end(Ending(Outcome.ABORTED, Reason.CLIENT_GONE, farewell or _UNHEARD))

    def end(self, ending: Ending) -> None:
        """Tell the house how it ended."""
        if self._ended:
            return
        self._ended = True
        seconds = self._monotonic() - self._since
        record, recipients = self._record(ending, seconds), len(self.forward_paths)
        delegate, outcome, reason = self.session.delegate, ending.outcome, ending.reason
        self._observe(MessageEnded(delegate, outcome, reason, recipients, self.size, seconds, record))

    def _record(self, ending: Ending, seconds: float) -> dict[str, object]:
        """Write the record. A record that cannot be written must not cost the count of a message."""
        try:
            return self._make_record(
                session=self.session,
                envelope=self.envelope,
                ending=ending,
                size=self.size,
                seconds=seconds,
                message_id=self.id,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours and it is told
            self._observe(Incident(self.id, self.session.id, error))
            return {"id": self.id, "listener": self.session.listener}  # by which its end is found
