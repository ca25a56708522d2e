"""Secrets and letters leave no trace: words planted in all of them are nowhere in what the relay says or writes."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from relay.cli import main
from relay.smtp.authentication import MECHANISMS
from tests.system.houses import House
from tests.system.recording_ses import RecordingSes
from tests.system.relays import Client, RunningRelay, command

pytestmark = pytest.mark.system

RIGHT, WRONG, CLEAR, TYPED = "canary-right-1", "canary-wrong-2", "canary-clear-3", "canary-typed-4"
AWS_SECRET, AWS_TOKEN, ADMIN_TOKEN, BAD_TOKEN = (
    "canary/aws/secret/5",
    "canary-aws-session-token-6",
    "canary-admin-token-that-is-long-enough-7",
    "canary-token-of-a-guesser-8",
)
SUBJECT, BODY, FIELD, FILE_NAME = "canary-subject-9", "canary-body-10", "canary-field-11", "canary-file-12"
PLANTED = (RIGHT, WRONG, CLEAR, TYPED, AWS_SECRET, AWS_TOKEN, ADMIN_TOKEN, BAD_TOKEN, SUBJECT, BODY, FIELD, FILE_NAME)
HASHED = PasswordHasher(1, 64, 1).hash("canary-hashed-13")
AUTHOR = "From: billing@example.com\r\n"


def b64(*parts: str) -> str:
    return base64.b64encode("\0".join(parts).encode()).decode()


@dataclass
class Said:
    """Everything that came out, and every form in which a planted word could be in it."""

    texts: dict[str, str] = field(default_factory=dict)
    encoded: set[str] = field(default_factory=set)

    def typed(self, client: Client, line: str) -> str:
        """Say a line; its encoded parts must not come out either."""
        self.encoded |= {word for word in line.split() if len(word) > 11 and word not in ("STARTTLS", "client.test")}
        return client.command(line)


def bearer(token: str, *, says: str = "n,,") -> str:
    """A response of OAUTHBEARER; of XOAUTH2 with ``user=NAME``."""
    return base64.b64encode(f"{says}\x01auth=Bearer {token}\x01\x01".encode()).decode()


#: A token by its form, signed by nobody; its claims are base64 within base64.
TOKEN = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"RS256","kid":"one"}', f'{{"sub":"{RIGHT}"}}', RIGHT)
)

#: Every way to get AUTH wrong in one line, each with a word planted where a password may be.
LINES = (
    f"AUTH PLAIN {b64('', 'billing', WRONG)}",
    f"AUTH PLAIN {b64('somebody', 'billing', RIGHT)}",
    f"AUTH PLAIN {b64('', RIGHT, 'billing')}",
    f"AUTH PLAIN {b64('billing', RIGHT)}",
    f"AUTH PLAIN {b64('', 'billing', RIGHT, 'surplus')}",
    f"AUTH PLAIN {RIGHT}",
    f"AUTH PLAIN {b64('', 'billing', RIGHT)} surplus",
    f"AUTH {RIGHT}",
    f"AUTH LOGIN {RIGHT}",
    f"PASS {RIGHT}",
    RIGHT,
    f"AUTH PLAIN {b64('', 'billing', RIGHT * 200)}",
    f"AUTH PLAIN {'A' * 13000}{RIGHT}",
    f"AUTH OAUTHBEARER {RIGHT}",
    f"AUTH OAUTHBEARER {b64(RIGHT)}",
    f"AUTH XOAUTH2 {b64(RIGHT)}",
    f"AUTH EXTERNAL {b64(RIGHT)}",
    f"AUTH EXTERNAL {RIGHT}",
    f"AUTH CRAM-MD5 {b64(RIGHT)}",
    f"AUTH SCRAM-SHA-256 {b64('n,,n=billing,r=' + RIGHT)}",
    f"MAIL FROM:<{RIGHT}>",
    f"VRFY {RIGHT}",
)
#: The same in an exchange of LOGIN.
EXCHANGES = (
    (b64("billing"), b64(WRONG)),
    (b64(RIGHT), b64("billing")),
    (b64("billing"), RIGHT),
    (RIGHT, "*"),
    (b64("billing"), "*"),
    (b64("billing"), b64(RIGHT) + "==="),
)
#: Bearer tokens: refused after a challenge that the client has to answer, with what it should not say.
BY_TOKEN = (
    (f"AUTH OAUTHBEARER {bearer(TOKEN)}", "AQ=="),
    (f"AUTH OAUTHBEARER {bearer(TOKEN)}", RIGHT),
    (f"AUTH OAUTHBEARER {bearer(RIGHT)}", b64(RIGHT)),
    ("AUTH OAUTHBEARER", bearer(TOKEN, says="n,a=billing,"), ""),
    (f"AUTH XOAUTH2 {bearer(TOKEN, says='user=billing')}", "*"),
    ("AUTH XOAUTH2", bearer(RIGHT, says="user=billing"), ""),
    ("AUTH XOAUTH2", bearer(TOKEN + "." + RIGHT, says="user=billing"), RIGHT),
    ("AUTH EXTERNAL", b64(RIGHT)),
)
#: Before TLS, although nothing of it was offered.
CLEAR_LINES = (f"AUTH PLAIN {b64('', 'billing', CLEAR)}", f"AUTH LOGIN {b64(CLEAR)}", f"{CLEAR} {CLEAR}", CLEAR)


def dialogues(said: Said, relay: RunningRelay) -> Iterator[Callable[[], list[str]]]:
    """All of these, each on a connection of its own; they return what they heard."""

    def dialogue(*lines: str, tls: bool = True) -> list[str]:
        with Client(relay.smtp) as client:
            client.start_tls() if tls else client.command("EHLO client.test")
            for line in lines:
                if said.typed(client, line)[0] != "3":
                    break
            return client.heard

    yield from (partial(dialogue, line) for line in LINES)
    yield from (partial(dialogue, "AUTH LOGIN", *answers) for answers in EXCHANGES)
    yield from (partial(dialogue, *lines) for lines in BY_TOKEN)
    yield from (partial(dialogue, line, tls=False) for line in CLEAR_LINES)


def letters() -> Iterator[bytes]:
    """Good and bad ones; a refusal names the rule and the place, never the words."""
    head = f"{AUTHOR}To: bob@example.net\r\nSubject: {SUBJECT}\r\nX-Own: {FIELD}\r\n"
    attached = f'Content-Type: text/plain; name="{FILE_NAME}.txt"\r\n'
    for more in (
        "",
        attached,
        AUTHOR,
        f"{FIELD}\r\n",
        f"X-SES-{FIELD}: {FIELD}\r\n",
        f"X-Long: {FIELD}{'x' * 1000}\r\n",
    ):
        yield f"{head}{more}\r\n{BODY}\r\n".encode()
    yield f"{head}\r\n{BODY}\nbare\r\n".encode()
    yield f"{head}\r\n{BODY}\0\r\n".encode()
    yield f"{head}Content-Type: multipart/mixed; boundary={FIELD}\r\n\r\n--{FIELD}\r\n{BODY}".encode()
    yield f"{head}\r\n{BODY}{'x' * 70_000}\r\n".encode()
    yield f"{head}X-SES-SOURCE-ARN: {FIELD}\r\n\r\n{BODY}\r\n".encode()
    yield f"From: {FIELD}\r\nSubject: {SUBJECT}\r\n\r\n{BODY}\r\n".encode()
    yield head.replace("billing@", "ceo@").encode() + f"\r\n{BODY}\r\n".encode()
    yield f"{head}X-Eight: {FIELD}\xff\r\n\r\n{BODY}\r\n".encode("latin-1")


def admin_pages(relay: RunningRelay) -> Iterator[str]:
    for path in ("/metrics", "/readyz?verbose", "/livez", "/", f"/{FIELD}", f"/metrics?{FIELD}", "/api/decisions"):
        for token in (ADMIN_TOKEN, BAD_TOKEN):
            request = Request(f"http://{relay.addresses['admin']}{path}", headers={"Authorization": f"Bearer {token}"})
            try:
                with urlopen(request, timeout=10) as answer:
                    yield answer.read().decode()
            except HTTPError as refusal:
                yield refusal.read().decode()


@pytest.fixture(scope="session")
def said(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Said:
    """A relay that logs all it can, and everybody who talks to it."""
    found = Said()
    with RecordingSes() as ses:
        house = House(tmp_path_factory.mktemp("canaries"), certificate, ses=ses.url)
        house.edit("allow_plaintext_auth = true", "")
        for name, secret in (("password", RIGHT), ("token", ADMIN_TOKEN)):
            (house.folder / name).write_text(secret + "\n")
            (house.folder / name).chmod(0o600)
        first = house.settings.read_text().index("password_hash")
        text = house.settings.read_text()
        text = text[:first] + 'password_file = "password"\n#' + text[first:]
        text = text.replace("[admin]\n", f'[admin]\ntoken_file = "{house.folder}/token"\n')
        limits = "\n[limits]\nmessage_bytes = 65536\nauth_failures_per_minute = 0\nauth_failures_per_day = 0\n"
        issuer = '\n[[delegates.oauth]]\nissuer = "https://login.example.com"\naudience = "ses-relay"\n'
        issuer += 'jwks_url = "http://127.0.0.1:1/keys"\n'
        more = f'{issuer}\n[[delegate]]\nname = "hashed"\nprincipal = "111111111111"\npassword_hash = "{HASHED}"\n'
        house.settings.write_text(f'{text}{limits}{more}\n[log]\nlevel = "debug"\n')
        aws = {"AWS_SECRET_ACCESS_KEY": AWS_SECRET, "AWS_SESSION_TOKEN": AWS_TOKEN}
        with house.serve(aws) as relay:
            with ThreadPoolExecutor(8) as several:
                heard = [reply for each in several.map(lambda run: run(), dialogues(found, relay)) for reply in each]
            outcomes = set()
            for letter in letters():
                with relay.client("billing", RIGHT) as client:
                    outcomes.add(client.hand_over("billing@example.com", ["bob@example.net"], letter)[:3])
                    heard += client.heard
            assert outcomes == {"250", "550", "552", "554"}
            house.edit('name = "newsletter"', 'name = "Not A Name"')
            relay.reload()
            found.texts["replies"] = "\n".join(heard)
            found.texts["admin pages"] = "\n".join(admin_pages(relay))
        assert len(ses.taken) >= 2
        found.texts["log"] = relay.text
        letter_file = house.folder / "letter.eml"
        letter_file.write_bytes(next(letters()))
        house.edit('name = "Not A Name"', 'name = "newsletter"')
        explain = ("explain", str(letter_file), "-c", str(house.settings), "--delegate", "billing")
        for words in (("check", "-c", str(house.settings)), explain, (*explain, "--json")):
            done = command(*words, environ=aws)
            assert done.returncode == 0, done
            found.texts[" ".join(words[:1] + words[5:])] = (done.stdout + done.stderr).decode()
    return found


def test_no_planted_word_comes_out(said: Said) -> None:
    assert set(said.texts) > {"log", "replies", "admin pages", "check"}
    leaks = {(where, word) for where, text in said.texts.items() for word in (*PLANTED, HASHED) if word in text}
    assert leaks == set(), [line for line in said.texts["replies"].splitlines() if FIELD in line]


def test_nor_in_the_form_in_which_it_was_typed(said: Said) -> None:
    """base64 hides nothing."""
    leaks = {(where, word[:60]) for where, text in said.texts.items() for word in said.encoded if word in text}
    assert leaks == set(), [line for line in said.texts["replies"].splitlines() if FIELD in line]


def test_the_log_was_awake(said: Said) -> None:
    """It tells of every AUTH and every message, at its most talkative."""
    events = [json.loads(line)["event"] for line in said.texts["log"].splitlines()]
    assert {"auth", "message", "session.opened", "judged", "ses.called"} <= set(events)
    assert events.count("auth") > 30


def test_every_mechanism_was_tried(said: Said) -> None:
    tried = {line["mechanism"] for text in said.texts["log"].splitlines() if "mechanism" in (line := json.loads(text))}

    assert tried == {*MECHANISMS} - {"EXTERNAL"}  # not offered without a client certificate: tests/smtp has it


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("password_hash = ", f'password_hash = "{WRONG}" #'),
        ("password_hash = ", f'password = "{WRONG}"\npassword_hash = '),
        ("password_hash = ", f"password_hash = {WRONG} #"),
        ("password_hash = ", f'password_hash = ["{WRONG}"] #'),
        ("password_hash = ", f'password_hash = "{HASHED}{WRONG}" #'),
        ("password_hash = ", f'password_hash = "{HASHED}"\npassword_hash = "{WRONG}" #'),
        ("[admin]", f'[admin]\ntoken = "{WRONG}"'),
        ("[admin]", f'[admin]\ntoken_file = "{WRONG}'),
        ("endpoint_url = ", f'endpoint_url = "http://relay:{WRONG}@127.0.0.1:1" #'),
    ],
)
def test_check_tells_of_a_misplaced_secret_without_showing_it(old: str, new: str, house: House) -> None:
    """In text, as JSON, and when serve refuses to start."""
    house.edit(old, new)
    for words, code in ((["check"], 1), (["check", "--json"], 1), (["serve"], 2)):
        done = CliRunner().invoke(main, [*words, "-c", str(house.settings)])
        assert (done.exit_code, bool(done.output)) == (code, True)
        assert WRONG not in done.output


def test_a_misplaced_secret_in_the_environment_is_not_shown(house: House) -> None:
    done = command("check", "-c", str(house.settings), environ={"SES_RELAY__ADMIN__TOKEN": WRONG})
    assert done.returncode == 1
    assert WRONG.encode() not in done.stdout + done.stderr
