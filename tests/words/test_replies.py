"""Replies: one printable line, and a class that agrees with itself."""

import pytest

from relay.words.replies import Reply


def test_reply_on_the_wire():
    assert str(Reply(550, (5, 6, 0), "From is empty")) == "550 5.6.0 From is empty"
    assert str(Reply(354, None, "go on")) == "354 go on"


def test_permanent_and_temporary():
    assert Reply(554, (5, 7, 1), "no").is_permanent
    assert not Reply(451, (4, 7, 1), "later").is_permanent


def test_text_cannot_break_the_line():
    """Line ends, controls and 8-bit text of somebody else become question marks."""
    assert Reply(550, (5, 1, 0), "a\r\n250 ok\x1b\u202eé").text == "a??250 ok???"


def test_disagreement_is_our_mistake():
    with pytest.raises(ValueError, match="disagrees"):
        Reply(550, (4, 7, 1), "both?")
