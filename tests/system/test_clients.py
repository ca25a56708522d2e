"""The programs that people have: permitted mail arrives as they wrote it, and refusals reach their user's eyes."""

import dataclasses
import email
import email.policy
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.mail_programs import ATTACHMENT, PROGRAMS, TEXT, Post, Shown, Tool
from tests.system.recording_ses import RecordingSes
from tests.system.relays import RunningRelay
from tests.system.rows import DOMAIN, FORBIDDEN, PERMITTED, Row, split_received, without_steering

pytestmark = pytest.mark.system

Program = Callable[[Post, Row], Shown]
MINE, CEO, INTERN = PERMITTED[2], FORBIDDEN[0], FORBIDDEN[-1]


@pytest.fixture(params=["starttls", "implicit"])
def post(
    request: pytest.FixtureRequest,
    recorded: tuple[RunningRelay, RecordingSes],
    authority: Path,
    tmp_path: Path,
    tool: Tool,
) -> Post:
    relay, ses = recorded
    ses.taken.clear()
    implicit = request.param == "implicit"
    return Post(relay.implicit if implicit else relay.smtp, implicit, authority, tmp_path, tool)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_permitted_mail_arrives_octet_for_octet(
    program: Program, post: Post, recorded: tuple[RunningRelay, RecordingSes]
) -> None:
    """Under TLS and AUTH, with what each program does to a letter, and nothing that anybody else did to it."""
    shown = program(post, MINE)
    assert shown.went, shown.text
    (taken,) = recorded[1].taken
    assert [taken.fields[name] for name in ("SourceArn", "FromArn", "ReturnPathArn")] == [DOMAIN] * 3
    assert taken.fields["Source"] == MINE.mail_from
    assert taken.destinations == list(MINE.recipients)
    received, rest = split_received(taken.raw)
    assert b" with ESMTPSA " in received
    assert rest == without_steering(MINE.raw if shown.sent is None else shown.sent)


@pytest.mark.parametrize("program", PROGRAMS[3:], ids=lambda program: program.__name__)
def test_what_was_attached_comes_out_again(
    program: Program, post: Post, recorded: tuple[RunningRelay, RecordingSes]
) -> None:
    """Eight-bit text, a line of 998 and an attachment of every octet, through the encoding that the program chose."""
    assert program(post, MINE).went
    letter = email.message_from_bytes(recorded[1].taken[0].raw, policy=email.policy.default)
    text, attachment = letter.iter_parts()
    assert letter["Subject"] == "Gr\u00fc\u00dfe"
    assert text.get_content().replace("\r\n", "\n").rstrip("\n") == TEXT.rstrip("\n")
    assert attachment.get_content() == ATTACHMENT
    assert attachment.get_filename() == "Gr\u00fc\u00dfe.bin"


@pytest.mark.parametrize("row", [CEO, INTERN], ids=["at DATA", "at MAIL"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_refusal_reaches_the_user(
    program: Program, row: Row, post: Post, recorded: tuple[RunningRelay, RecordingSes]
) -> None:
    """With who, what, which identity and why, as the program shows it; and nothing is sent."""
    shown = program(post, row)
    assert not shown.went
    assert recorded[1].taken == []
    said = " ".join(shown.text.split())
    assert row.code in said.replace("b'", "").replace('b"', "")
    for name in (*row.names, f"delegate {row.delegate}", "decision "):
        assert name in said, said


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_many_recipients_are_one_message(
    program: Program, post: Post, recorded: tuple[RunningRelay, RecordingSes]
) -> None:
    row = dataclasses.replace(MINE, recipients=tuple(f"reader{number}@example.net" for number in range(50)))
    assert program(post, row).went
    (taken,) = recorded[1].taken
    assert taken.destinations == list(row.recipients)
