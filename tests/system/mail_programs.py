"""The programs that people send mail with, each driven as its manual says. TLS is verified, as it should be."""

import base64
import json
import os
import re
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO
from pathlib import Path

from tests.system.rows import Row, secret_of

#: Octets of every value, lines that begin with dots, and no line end at the end.
ATTACHMENT = bytes(range(256)) * 40 + b"\r\n.\r\n..\n.\r\n" + b"last"
TEXT = ".one dot\n..two\n.\nblanks at the end  \nGr\u00fc\u00dfe \U0001f4ee\n" + "x" * 998 + "\nend\n"
Tool = Callable[[str], str]


@dataclass(frozen=True)
class Post:
    """Where a program shall deliver, and with what."""

    address: tuple[str, int]
    implicit: bool
    authority: Path
    folder: Path
    tool: Tool

    @property
    def host_and_port(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"


@dataclass(frozen=True)
class Shown:
    """What a program showed its user; ``sent``: the octets that it says it sent, where it says so."""

    went: bool
    text: str
    sent: bytes | None = None


def _ran(
    words: Sequence[str | Path], stdin: bytes = b"", encoding: str = "utf-8", environ: dict[str, str] | None = None
) -> Shown:
    done = subprocess.run(
        list(map(str, words)),
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, **(environ or {})},
    )
    return Shown(done.returncode == 0, (done.stdout + done.stderr).decode(encoding, "replace"))


def curl(post: Post, row: Row) -> Shown:
    letter = post.folder / "letter.eml"
    letter.write_bytes(row.raw)
    scheme = ["--url", f"smtp{'s' * post.implicit}://{post.host_and_port}", "--ssl-reqd"]
    recipients = [word for each in row.recipients for word in ("--mail-rcpt", each)]
    who = ["--user", f"{row.delegate}:{secret_of(row.delegate)}", "--mail-from", row.mail_from, *recipients]
    what = ["--cacert", str(post.authority), "--upload-file", str(letter)]
    return _ran([post.tool("curl"), "--no-progress-meter", "--verbose", *scheme, *who, *what])


def swaks(post: Post, row: Row) -> Shown:
    """Its transcript says what it sent: it adds an empty line of its own to a letter that it is given."""
    tls = ["--tls-on-connect" if post.implicit else "--tls", "--tls-verify", "--tls-ca-path", str(post.authority)]
    who = ["--auth", "LOGIN", "--auth-user", row.delegate, "--auth-password", secret_of(row.delegate)]
    envelope = ["--from", row.mail_from, "--to", ",".join(row.recipients)]
    server = ["--server", post.address[0], "--port", str(post.address[1])]
    shown = _ran(
        [post.tool("swaks"), *server, *tls, *who, *envelope, "--data", "-"], row.raw.replace(b"\r\n", b"\n"), "latin-1"
    )
    lines = re.findall(r"^ ~> (.*?)\r?$", shown.text.partition("<~  354")[2].partition(" ~> QUIT")[0], re.MULTILINE)
    sent = "".join(f"{line.removeprefix('.')}\r\n" for line in lines[:-1])
    return Shown(shown.went, shown.text, sent.encode("latin-1"))


def msmtp(post: Post, row: Row) -> Shown:
    settings = post.folder / "msmtprc"
    settings.write_text(
        f"account default\nhost {post.address[0]}\nport {post.address[1]}\ntls on\n"
        f"tls_starttls {'off' if post.implicit else 'on'}\ntls_trust_file {post.authority}\nauth on\n"
        f"user {row.delegate}\npassword {secret_of(row.delegate)}\nfrom {row.mail_from}\n"
        "set_date_header off\nset_from_header off\n"
    )
    settings.chmod(0o600)
    return _ran([post.tool("msmtp"), "--file", settings, *row.recipients], row.raw.replace(b"\r\n", b"\n"))


def python_smtplib(post: Post, row: Row) -> Shown:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Bcc"] = row.author, "somebody@example.net", "hidden@example.net"
    letter["Subject"] = "Gr\u00fc\u00dfe"
    letter.set_content(TEXT)
    letter.add_attachment(ATTACHMENT, "application", "octet-stream", filename="Gr\u00fc\u00dfe.bin")
    letter.set_boundary("boundary")
    context = ssl.create_default_context(cafile=str(post.authority))
    host, port = post.address
    with smtplib.SMTP_SSL(host, port, context=context) if post.implicit else smtplib.SMTP(host, port) as smtp:
        if not post.implicit:
            smtp.starttls(context=context)
        smtp.login(row.delegate, secret_of(row.delegate))
        try:
            smtp.send_message(letter, row.mail_from, row.recipients)
        except smtplib.SMTPResponseException as refusal:
            return Shown(went=False, text=f"{refusal.smtp_code} {refusal.smtp_error!r}")
    return Shown(went=True, text="", sent=_flattened(letter))


def _flattened(letter: EmailMessage) -> bytes:
    """The letter as ``send_message`` writes it: it takes Bcc out by itself."""
    del letter["Bcc"]
    octets = BytesIO()
    BytesGenerator(octets, policy=SMTP.clone(utf8=False, max_line_length=letter.policy.max_line_length)).flatten(letter)
    return octets.getvalue()


def nodemailer(post: Post, row: Row) -> Shown:
    modules = Path(sys.prefix) / "node" / "node_modules"
    if not (modules / "nodemailer").exists():
        post.tool("nodemailer")  # says who brings it, and whether that is a failure
    given = {
        "host": post.address[0],
        "port": post.address[1],
        "implicit": post.implicit,
        "authority": str(post.authority),
        "delegate": row.delegate,
        "secret": secret_of(row.delegate),
        "attachment": base64.b64encode(ATTACHMENT).decode(),
        "letter": {
            "envelope": {"from": row.mail_from, "to": list(row.recipients)},
            "from": row.author,
            "to": "somebody@example.net",
            "bcc": "hidden@example.net",
            "subject": "Gr\u00fc\u00dfe",
            "text": TEXT,
        },
    }
    script = Path(__file__).with_name("nodemailer_client.cjs")
    shown = _ran([post.tool("node"), script], json.dumps(given).encode(), environ={"NODE_PATH": str(modules)})
    assert shown.went, shown.text
    told = json.loads(shown.text)
    return Shown("response" in told, told.get("response") or told["refusal"], base64.b64decode(told["built"]))


PROGRAMS: tuple[Callable[[Post, Row], Shown], ...] = (curl, swaks, msmtp, python_smtplib, nodemailer)
