"""Honest mail of real programs: libraries that sign, a user agent, and the tools of scripts."""

import base64
import dataclasses
import email
import email.policy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.honest.letters import INVITATION, PICTURE, TEXT, modern
from tests.honest.post import BILLING, BOB, SECRET, Office, check_untouched
from tests.honest.test_signed import KEY, is_signed_well
from tests.system.mail_programs import Shown, curl, msmtp, swaks
from tests.system.rows import Row, split_received

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
READERS = [f"reader{number}@example.net" for number in range(50)]
NAME, SUBJECT = "Z\u00fcrich, Billing", "Gr\u00fc\u00dfe aus Z\u00fcrich, Gen\u00e8ve und anderswo " + "lang " * 20
#: msmtp gives a name to a letter that has none.
LETTERS = {letter.name: letter for letter in modern() if letter.name != "without_a_word"}


def given(post: Office, **more: Any) -> bytes:
    """What the scripts of other languages are told."""
    host, port = post.relay.smtp
    told = {"host": host, "port": port, "authority": str(post.authority), "delegate": "billing", "secret": SECRET}
    letter = {"author": BILLING, "name": NAME, "recipients": READERS, "subject": SUBJECT, "text": TEXT}
    further = {"invitation": INVITATION, "attachment": base64.b64encode(PICTURE).decode(), "key": KEY.decode()}
    return json.dumps(told | letter | further | more).encode()


def ran(words: list[str], stdin: bytes, **environ: str) -> dict[str, Any]:
    done = subprocess.run(
        words, input=stdin, capture_output=True, timeout=30, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def check_letter(post: Office, built: bytes, readers: list[str] = READERS) -> None:
    """What arrived is what was built, and says what was meant."""
    taken = post.taken()
    check_untouched(taken, built)
    assert taken.destinations == readers
    read = email.message_from_bytes(taken.raw, policy=email.policy.default)
    assert [each.addr_spec for each in read["From"].addresses] == [BILLING]
    files = [part for part in read.walk() if part.get_filename() == "\u00dcbersicht November.pdf"]
    assert [part.get_payload(decode=True) for part in files] == [PICTURE]


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_nodemailer(encoding: str, post: Office):
    modules = Path(sys.prefix) / "node" / "node_modules"
    if not (modules / "nodemailer").exists():
        post.tool("nodemailer")
    told = ran(
        [post.tool("node"), str(HERE / "nodemailer_letters.cjs")],
        given(post, encoding=encoding),
        NODE_PATH=str(modules),
    )
    assert told["response"].startswith("250 2.0.0 Ok")
    check_letter(post, base64.b64decode(told["built"]))
    assert is_signed_well(post.taken().raw)


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("utf-8", "8bit"), ("utf-8", "quoted-printable"), ("iso-8859-1", "8bit"), ("iso-8859-1", "base64")],
)
def test_phpmailer(charset: str, encoding: str, post: Office):
    """It folds lines over 998 octets on the way, and adds an empty line: ten readers fit into one."""
    text = TEXT if charset == "utf-8" else TEXT.replace("\U0001f4ee", "")
    library = Path("/usr/share/php/libphp-phpmailer/autoload.php")
    if not library.exists():
        post.tool("phpmailer")
    told = ran(
        [post.tool("php"), str(HERE / "phpmailer_letters.php")],
        given(post, charset=charset, encoding=encoding, text=text, recipients=READERS[:10]),
    )
    check_letter(post, base64.b64decode(told["built"]) + b"\r\n", READERS[:10])
    assert is_signed_well(post.taken().raw)


def test_ruby_mail(post: Office):
    if not Path("/usr/lib/ruby/vendor_ruby/mail.rb").exists():
        post.tool("ruby-mail")
    told = ran([post.tool("ruby"), str(HERE / "ruby_letters.rb")], given(post))
    built = base64.b64decode(told["built"])
    check_letter(post, built.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))  # as it does on the way


def test_mutt(post: Office):
    """A user agent with a body, a file, and its own SMTP."""
    mutt, folder = post.tool("mutt"), post.folder
    (folder / "\u00dcbersicht November.pdf").write_bytes(PICTURE)
    (folder / "text").write_text(TEXT)
    host, port = post.relay.smtp
    (folder / "muttrc").write_text(
        f'set smtp_url="smtp://billing:{SECRET}@{host}:{port}/" smtp_authenticators="plain" ssl_starttls=yes\n'
        f'set ssl_force_tls=yes certificate_file="{post.authority}" ssl_usesystemcerts=no ssl_verify_host=no\n'
        f'set from="{BILLING}" realname="{NAME}" use_from=yes use_envelope_from=yes copy=no charset=utf-8\n'
        'set send_charset="us-ascii:iso-8859-1:utf-8" allow_8bit=yes text_flowed=yes config_charset=utf-8\n'
    )
    words = [mutt, "-F", "muttrc", "-s", SUBJECT, "-a", "\u00dcbersicht November.pdf", "--", BOB]
    done = subprocess.run(
        words,
        cwd=folder,
        input=TEXT.encode(),
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = email.message_from_bytes(post.taken().raw, policy=email.policy.default)
    text, attachment = read.iter_parts()
    assert read["From"].addresses[0].display_name == NAME
    assert str(read["Subject"]).strip() == SUBJECT.strip()
    assert text.get_content().replace("\r\n", "\n").replace("\n From here", "\nFrom here") == TEXT  # flowed: RFC 3676
    assert attachment.get_payload(decode=True) == PICTURE


@dataclasses.dataclass(frozen=True)
class Given(Row):
    """A letter of a library, handed to a program that takes files."""

    octets: bytes = b""

    @property
    def raw(self) -> bytes:
        return self.octets


@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize("program", [curl, msmtp, swaks], ids=lambda program: program.__name__)
def test_a_library_writes_and_a_program_sends(program: Any, name: str, post: Office):
    """Every letter that Python makes, through the tools that scripts use."""
    letter = LETTERS[name]
    row = Given(name, "billing", BILLING, letter.mail_from, letter.recipients, octets=letter.raw)
    shown: Shown = program(post.post, row)
    assert shown.went, shown.text
    taken = post.taken()
    check_untouched(taken, letter.raw if shown.sent is None else shown.sent)
    assert taken.destinations == list(letter.recipients)
    assert re.match(rb"Received: ", split_received(taken.raw)[0])
