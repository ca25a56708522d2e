"""What one worker has begun and not ended: if it dies, that is told in its place."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.observe.events import MessageEnded, MessageReceived, Observer, SessionClosed, SessionOpened
from relay.smtp.ports import MakeRecord
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session

#: Nobody heard it.
DIED: Final = Ending(
    Outcome.ABORTED, Reason.INTERNAL, Reply(451, (4, 3, 0), "The process that had the message has died")
)


class Books:
    """
    Every session of a worker that opened closes once, every message that began ends once.

    ``ears``: what is to be told of its events, by their kind; of all other kinds ``observe`` is.

    Args:
        observe: Hears all of it.
        make_record: Writes the records of messages whose end nobody told.
        new_id: Names them: their own ids died with the worker.

    """

    def __init__(self, observe: Observer, make_record: MakeRecord, new_id: Callable[[], str]) -> None:
        self.observe = observe
        self._make_record = make_record
        self._new_id = new_id
        self._sessions: dict[str, str] = {}
        self._messages: Counter[str] = Counter()
        self.ears: Final[Mapping[type, Callable[[Any], None]]] = {
            SessionOpened: self._opened,
            SessionClosed: self._closed,
            MessageReceived: self._received,
            MessageEnded: self._ended,
        }

    def _opened(self, event: SessionOpened) -> None:
        self._sessions[event.session] = event.listener
        self.observe(event)

    def _closed(self, event: SessionClosed) -> None:
        self._sessions.pop(event.session, None)
        self.observe(event)

    def _received(self, event: MessageReceived) -> None:
        self._messages[event.listener] += event.times
        self.observe(event)

    def _ended(self, event: MessageEnded) -> None:
        self._messages[event.record.get("listener", "-")] -= 1
        self.observe(event)

    def close(self) -> tuple[int, int]:
        """End what is open: the worker is gone. Return how many sessions and messages that were."""
        sessions, messages = self._sessions, +self._messages
        self._sessions, self._messages = {}, Counter()
        for listener, count in messages.items():
            for _ in range(count):
                self.observe(self._lost(listener))
        for session, listener in sessions.items():
            self.observe(SessionClosed(listener, session, "gone"))
        return len(sessions), messages.total()

    def _lost(self, listener: str) -> MessageEnded:
        session, message_id = Session("-", listener, "-", "", "", "-"), self._new_id()
        record = self._make_record(
            session=session, envelope=None, ending=DIED, size=None, seconds=0.0, message_id=message_id
        )
        return MessageEnded("-", DIED.outcome, DIED.reason, 0, None, 0.0, record)
