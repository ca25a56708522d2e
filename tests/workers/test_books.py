"""The books of a worker: what it began and did not end, and nothing else, is ended in its place."""

from typing import Any

from relay.observe.events import Event, MessageEnded, MessageReceived
from relay.smtp.transaction import Transaction
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session
from relay.workers.books import Books

LISTENER = "127.0.0.1:25"
SENT = Ending(Outcome.ACCEPTED, Reason.NONE, Reply(250, (2, 0, 0), "Ok"))


class Lives:
    """A worker's messages, and what was told of them."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.books = Books(self.told.append, lambda **_: {"id": "lost"}, lambda: "lost")

    def begun(self, make_record: Any) -> Transaction:
        session = Session("s1", LISTENER, "10.0.0.1", "client.test", "ESMTP", "billing")
        return Transaction(
            session, listener=LISTENER, message_id="m1", observe=self.hear, make_record=make_record, monotonic=float
        )

    def hear(self, event: Event) -> None:
        self.books.ears.get(type(event), self.books.observe)(event)

    @property
    def ended(self) -> list[str]:
        return [event.record["id"] for event in self.told if isinstance(event, MessageEnded)]


def _broken(**_: object) -> dict[str, Any]:
    raise RecursionError


def test_what_was_begun_and_not_ended_is_ended_with_its_worker() -> None:
    lives = Lives()
    lives.begun(lambda message_id, **_: {"id": message_id, "listener": LISTENER}).end(SENT)
    lives.begun(_broken)

    assert lives.books.close() == (0, 1)
    assert lives.ended == ["m1", "lost"]
    assert lives.books.close() == (0, 0)


def test_a_message_whose_record_could_not_be_written_has_ended() -> None:
    """It is not ended once more when its worker goes."""
    lives = Lives()
    lives.begun(_broken).end(SENT)

    assert lives.books.close() == (0, 0)
    assert lives.ended == ["m1"]
    assert [type(event) for event in lives.told].count(MessageReceived) == 1
