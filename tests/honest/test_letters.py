"""Honest mail passes: whatever a library makes is taken, and reaches SES octet for octet."""

from pathlib import Path

import pytest

from tests.honest.letters import Letter, legacy, modern
from tests.honest.post import Office, check_untouched

pytestmark = pytest.mark.system

SAMPLES = sorted(Path(__file__).with_name("samples").glob("*.eml"))


def samples() -> list[Letter]:
    """What programs wrote that are too big to be installed for a test: samples/README.md says where it is from."""
    return [Letter(path.stem, path.read_bytes()) for path in SAMPLES]


@pytest.mark.parametrize("letter", [*modern(), *legacy(), *samples()], ids=lambda letter: letter.name)
def test_letter(letter: Letter, post: Office):
    assert post.hand_over(letter.raw, letter.mail_from, letter.recipients) == ""
    taken = post.taken()
    check_untouched(taken, letter.raw)
    assert taken.destinations == list(letter.recipients)
    assert taken.fields["Source"] == letter.mail_from


@pytest.mark.parametrize("letter", [*modern(), *legacy(), *samples()], ids=lambda letter: letter.name)
def test_letter_with_every_repair_on(letter: Letter, post: Office):
    """What is in form is not repaired: but for fields that are missing, it arrives octet for octet, too."""
    assert post.hand_over(letter.raw, letter.mail_from, letter.recipients, delegate="old") == ""
    head, _, body = letter.raw.partition(b"\r\n\r\n")
    raw = post.taken().raw
    assert raw.endswith(b"\r\n\r\n" + body)
    assert all(line in raw for line in head.split(b"\r\n"))
