"""Who sent a message is known by SES's name of it, for the last messages."""

from relay.feedback.senders import Senders
from relay.observe.events import Delivered, LoopLagged, MessageEnded
from relay.words.endings import Outcome, Reason


def ended(ses_id: str | None, delegate: str = "billing") -> MessageEnded:
    return MessageEnded(delegate, Outcome.ACCEPTED, Reason.NONE, 1, 10, 0.1, {"ses_id": ses_id})


def test_what_ses_took_at_once_or_from_the_spool_is_known():
    senders = Senders()
    senders(ended("0100-1"))
    senders(ended(None))
    senders(Delivered("news", "sent", {"ses_ids": ["0100-2", "0100-3"]}))
    senders(Delivered("news", "deferred", {}))
    senders(LoopLagged(0.1))

    assert [senders.find(f"0100-{n}") for n in range(1, 5)] == ["billing", "news", "news", None]


def test_the_oldest_are_forgotten():
    senders = Senders(most=3)
    for number in range(5):
        senders(ended(str(number)))

    assert [senders.find(str(number)) for number in range(5)] == [None, None, "billing", "billing", "billing"]
