"""What of aiosmtpd must not run, and what must still be where we override it: W24, W30, W31, W33 and W34, by number."""

import asyncio
import inspect
import logging
import re
import socket
import threading
from pathlib import Path

import aiosmtpd.smtp
import pytest

import relay.smtp
from relay.smtp.dialogue import COMMANDS, Dialogue
from tests.smtp.stage import MESSAGE, PLAIN, stage


async def test_w24_what_one_session_says_changes_no_limit_of_another(authority):
    async with stage(authority, PLAIN) as on:
        first, second = await on.authenticated("plain"), await on.authenticated("plain")
        long = "MAIL FROM:<app1@example.com> AUTH=" + "a" * (2046 - 34)
        for _ in range(10):
            await first.says("EHLO again")
        await on.greeted("plain")

        for client in (first, second):
            assert (await client.says(long + "a")).startswith("500 5.5.2")
            assert (await client.says(long)).startswith("250")


async def test_w30_a_connection_costs_no_reflection_and_no_thread(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("aiosmtpd's constructor ran for a connection")

        monkeypatch.setattr(aiosmtpd.smtp.SMTP, "__init__", refuse)
        monkeypatch.setattr(socket, "getfqdn", refuse)
        threads = threading.active_count()
        client = await on.client("plain")

        assert await client.reply() == "220 relay.test ESMTP"
        assert threads == threading.active_count()


async def test_w31_nothing_is_logged_per_line(authority, caplog):
    caplog.set_level(logging.DEBUG)
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        caplog.clear()
        await client.hands_in(MESSAGE + b"x\r\n" * 1000)

        assert caplog.records == []


SOURCES = sorted(Path(relay.smtp.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_w33_w34_no_private_part_of_asyncio_and_no_assert_carries_a_check(source):
    text = source.read_text()

    assert not re.search(r"sslproto|_app_transport|_header_value_parser|\._reader\b|\._writer\b|\._buffer", text)
    assert not re.search(r"^\s+assert ", text, re.MULTILINE)


def test_every_command_of_aiosmtpd_is_ours():
    """
    A new release that brings a command, or drops one that we override, needs a look.
    """
    theirs = {name for name in vars(aiosmtpd.smtp.SMTP) if name.startswith("smtp_")}

    assert theirs == {f"smtp_{verb}" for verb in COMMANDS}
    assert all(getattr(Dialogue, name) is not getattr(aiosmtpd.smtp.SMTP, name) for name in theirs)


@pytest.mark.parametrize("name", ["_reset_timeout", "connection_lost", "connection_made", "eof_received"])
def test_what_we_override_is_still_what_aiosmtpd_calls(name):
    """
    An override that nothing calls any more would leave the library's own behaviour in force.
    """
    assert callable(vars(aiosmtpd.smtp.SMTP)[name])
    assert getattr(Dialogue, name) is not getattr(aiosmtpd.smtp.SMTP, name)


def test_their_conversation_is_begun_by_nobody_but_what_we_override():
    """
    Ours needs no task; one that ran beside it would answer every command twice.
    """
    assert inspect.getsource(aiosmtpd.smtp).count("self._handle_client()") == 1
    assert "self._handle_client()" in inspect.getsource(aiosmtpd.smtp.SMTP.connection_made)


def test_no_attribute_of_ours_shadows_one_of_theirs():
    """
    The library's private names are not used for other things by accident.
    """
    theirs = set(vars(aiosmtpd.smtp.SMTP)) | set(vars(asyncio.StreamReaderProtocol))
    meant = {"_reset_timeout", "connection_lost", "connection_made", "eof_received"}
    meant |= {"data_received", "pause_writing", "resume_writing"} | {f"smtp_{verb}" for verb in COMMANDS}
    ours = {name for kind in Dialogue.__mro__[:5] for name in vars(kind) if not name.startswith("__")}

    assert ours & theirs <= meant


def test_no_class_of_ours_overrides_another_by_accident():
    """
    What a class of the chain leaves open is named here; any other meeting of names is a mistake.
    """
    left_open = {
        "_await_content",
        "_excuse",
        "_begin",
        "_go_on",
        "_greet",
        "_hear_content",
        "_obey",
        "_drop_content",
        "wind_down",
        "cut_short",
    }
    left_open |= {"__doc__", "__module__", "__annotations__"}
    seen: set[str] = set()
    for kind in Dialogue.__mro__[:5]:
        names = {name for name in vars(kind) if not name.startswith("__") or name in left_open}
        assert names & seen <= left_open
        seen |= names
