"""Postfix as a null client before the relay: what a thousand servers with cron jobs and PHP have."""

import re
from collections.abc import Iterator

import pytest

from tests.honest.letters import MODERN, modern
from tests.honest.post import BILLING, BOB, Office
from tests.honest.postfix import NullClient, null_client
from tests.honest.test_signed import is_signed_well, signed
from tests.system.rows import split_received, without_steering

pytestmark = pytest.mark.system

LETTERS = {letter.name: letter for letter in modern() if letter.name != "without_a_word"}


@pytest.fixture(scope="module")
def postfix(office: Office) -> Iterator[NullClient]:
    with null_client(office) as client:
        yield client


def arrived(post: Office) -> bytes:
    """What reached SES, without the relay's Received and that of Postfix."""
    post.relay.wait_until(lambda: post.ses.taken, "mail at SES")
    _, rest = split_received(post.taken().raw)
    theirs, letter = split_received(rest)
    assert b" by web01.example.com (Postfix" in theirs
    return letter


@pytest.mark.parametrize("name", LETTERS)
def test_letter(name: str, postfix: NullClient, post: Office):
    """Every letter reaches SES as it was handed to sendmail, behind two Received fields."""
    letter = LETTERS[name]
    postfix.submit(letter.raw, letter.mail_from, *letter.recipients)
    assert arrived(post) == without_steering(letter.raw)
    assert sorted(post.taken().destinations) == sorted(letter.recipients)


def test_a_signature_holds(postfix: NullClient, post: Office):
    postfix.submit(signed(MODERN[0]().as_bytes()), BILLING, BOB)
    arrived(post)
    assert is_signed_well(post.taken().raw)


def test_a_refusal_comes_to_its_log(postfix: NullClient, post: Office):
    """With who, what and why, and nothing is tried again."""
    raw = LETTERS["eight_bit"].raw.replace(b"Billing <billing@", b"The CEO <ceo@")
    postfix.submit(raw, BILLING, BOB)
    log = postfix.wait_for("status=bounced")
    assert post.ses.taken == []
    [line] = [line for line in log.splitlines() if "status=bounced" in line and "ceo@example.com" in line]
    assert re.search(r"dsn=5\.7\.1, .* said: 554 5\.7\.1 Access denied: User `arn:aws:iam::1{12}:user/billing'", line)
    assert "delegate billing, from; no policy names this principal" in line
