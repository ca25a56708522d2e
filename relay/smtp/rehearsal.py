"""What the street door would make of a whole message, without a connection: for whoever asks before sending."""

from relay.smtp import replies
from relay.smtp.content import Content
from relay.smtp.limits import Limits
from relay.smtp.transaction import ending_of
from relay.words.endings import Reason
from relay.words.transactions import Ending


def rehearse(raw: bytes, recipients: int, limits: Limits, *, mends_line_feeds: bool = False) -> bytes | Ending:
    """
    Take *raw* as DATA takes it, for so many *recipients*.

    Returns:
        The octets that would be judged, ending in CRLF; or how the door would end the message. With
        ``over_recipients = "452"`` that is the answer to the first recipient past the limit.
    """
    if recipients > limits.recipients:
        refuse = replies.too_many_now if limits.over_recipients == "452" else replies.too_many
        return ending_of(refuse(limits.recipients), Reason.RECIPIENTS)
    content = Content(limits.message_bytes, keeps_line_feeds=mends_line_feeds)
    content.feed(_on_the_wire(raw) + b".\r\n")
    return content.raw() if content.fault is None else ending_of(*replies.OF_FAULT[content.fault])


def _on_the_wire(raw: bytes) -> bytes:
    """Double the dots that begin lines, and end the last line (RFC 5321 section 4.5.2)."""
    ended = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    return (b"." if ended.startswith(b".") else b"") + ended.replace(b"\r\n.", b"\r\n..")
