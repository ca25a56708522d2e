"""``ses-relay explain`` says beforehand what the running relay says then, and why, and what to change."""

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from tests.system.conftest import Demo
from tests.system.relays import clean_environ, command
from tests.system.rows import DOMAIN, FORBIDDEN, PERMITTED, ROWS, Row, secret_of, without_id

pytestmark = pytest.mark.system

MINE = PERMITTED[0]


def words(row: Row, demo: Demo, *more: str) -> list[str]:
    recipients = [word for each in row.recipients for word in ("--rcpt", each)]
    who = ["--delegate", row.delegate, "--mail-from", row.mail_from]
    return ["explain", "-", "-c", str(demo.state / "relay.toml"), *who, *recipients, *more]


def explained(row: Row, demo: Demo, *more: str, raw: bytes | None = None) -> Result:
    return CliRunner().invoke(main, words(row, demo, *more), input=row.raw if raw is None else raw)


def heard(row: Row, demo: Demo, raw: bytes | None = None) -> str:
    with demo.relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw if raw is None else raw)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_it_says_what_the_relay_says(row: Row, line_end: bytes, demo: Demo) -> None:
    """The same reply but for the decision's id, or the same ARNs, whatever line ends the file has."""
    done = explained(row, demo, "--json", raw=row.raw.replace(b"\r\n", line_end))
    told = json.loads(done.output)
    reply = heard(row, demo)
    assert done.exit_code == (0 if row.is_permitted else 1)
    if row.is_permitted:
        assert (told["verdict"], told["reply"]) == ("allowed", None)
        message = demo.ses.messages()[-1]
        for name in ("source", "source_arn", "from_arn", "return_path_arn"):
            assert told["permit"][name] == message[name]
        assert reply.startswith("250 2.0.0 Ok ")
    else:
        assert told["permit"] is None
        assert told["reply"] == without_id(reply)


def odd(**changes: Any) -> Row:
    return dataclasses.replace(MINE, **changes)


HEAD = b"From: billing@example.com\r\nTo: bob@example.net\r\n"
#: Letters that are not judged at all, or hardly; each is refused by the relay somewhere else.
ODD = {
    "two authors": (MINE, b"From: ceo@example.com\r\n" + MINE.raw),
    "a line that is no field": (MINE, HEAD + b"no field\r\n\r\nbody\r\n"),
    "no empty line": (MINE, HEAD),
    "no octet": (MINE, b""),
    "a bare LF among CRLF": (MINE, HEAD + b"\r\nbare\nline\r\n"),
    "a bare CR": (MINE, HEAD + b"\r\nbare\rline\r\n"),
    "a NUL": (MINE, HEAD + b"\r\nnul\0\r\n"),
    "8-bit in the author's name": (MINE, b"From: Gr\xfc\xdfe <billing@example.com>\r\n\r\nbody\r\n"),
    "a line of 999": (MINE, HEAD + b"\r\n" + b"x" * 999 + b"\r\n"),
    "1,001 recipients": (odd(recipients=tuple(f"r{n}@example.net" for n in range(1001))), MINE.raw),
    "too big": (MINE, HEAD + b"\r\n" + (b"x" * 70 + b"\r\n") * 146_000),
    "an X-SES field": (MINE, b"X-SES-CONFIGURATION-SET: mine\r\n" + MINE.raw),
    "an ARN that is none": (MINE, b"X-SES-SOURCE-ARN: mine\r\n" + MINE.raw),
    "an ARN of another region": (
        MINE,
        b"X-SES-SOURCE-ARN: " + DOMAIN.replace("us-", "eu-").encode() + b"\r\n" + MINE.raw,
    ),
    "a loop": (MINE, b"Received: from a by b\r\n" * 51 + MINE.raw),
    "two authors, and nobody's bounces": (odd(mail_from="a@elsewhere.example"), HEAD + HEAD),
    "no line end at the end": (FORBIDDEN[0], FORBIDDEN[0].raw.rstrip(b"\r\n") + b"\r\n.end"),
}


@pytest.mark.parametrize("name", ODD)
def test_it_refuses_what_the_relay_refuses_unjudged(name: str, demo: Demo) -> None:
    """Form, size, recipients, steering fields: the rule is named in the reply and on its own."""
    row, raw = ODD[name]
    done = explained(row, demo, "--json", raw=raw)
    told = json.loads(done.output)
    assert done.exit_code == 1
    assert told["reply"] == without_id(heard(row, demo, raw))
    assert told["reply"][0] == "5"
    text = explained(row, demo, raw=raw).output
    assert told["reply"][:9] in text
    if told.get("rule"):
        assert f"rule {told['rule']} " in text


def test_a_refusal_in_words_names_all_that_it_hangs_on(demo: Demo) -> None:
    """Identity, statement, what it wants and what was found, what the client would hear, and what to change."""
    done = explained(FORBIDDEN[3], demo)
    text = " ".join(done.output.split())
    for part in (
        "arn:aws:ses:us-east-1:888888888888:identity/example.com",
        "billing/BillingSendsInvoices (Allow)",
        "wants ses:FromAddress like billing@example.com or invoices*@example.com",
        "found sales@example.com",
        "NOT ALLOWED",
        "the client would hear: 554 5.7.1 Access denied",
        "to pass",
    ):
        assert part in text, done.output
    assert max(map(len, done.output.splitlines())) <= 160
    assert "\x1b" not in done.output


@pytest.mark.parametrize("row", [row for row in FORBIDDEN if row.mail_from], ids=lambda row: row.name)
def test_every_refusal_says_what_would_make_it_pass(row: Row, demo: Demo) -> None:
    told = json.loads(explained(row, demo, "--json").output)
    refused = [question for question in told["questions"] if question["verdict"] != "allowed"]
    assert refused
    assert all(question["advice"] for question in refused if question["identity"]), refused


@pytest.mark.parametrize(("row", "code"), [(MINE, 0), (FORBIDDEN[0], 1)], ids=["permitted", "forbidden"])
def test_the_program_leaves_with_the_answer(row: Row, code: int, demo: Demo) -> None:
    done = command(*words(row, demo), stdin=row.raw)
    assert (done.returncode, done.stderr) == (code, b"")
    assert ("ALLOWED: the message may go" if code == 0 else "NOT ALLOWED") in done.stdout.decode()


def test_recipients_and_reverse_path_come_from_the_letter_by_default(demo: Demo, tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_bytes(b"From: news@example.com\nTo: A <a@example.net>, b@EXAMPLE.net\nCc: c@example.org\n\nhi\n")
    settings = str(demo.state / "relay.toml")
    done = CliRunner().invoke(main, ["explain", str(letter), "-c", settings, "--delegate", "newsletter", "--json"])
    told = json.loads(done.output)
    recipients = ["a@example.net", "b@example.net", "c@example.org"]
    assert told["envelope"] == {"mail_from": "news@example.com", "recipients": recipients}
    assert (done.exit_code, told["verdict"]) == (1, "not-allowed")


@pytest.mark.parametrize(
    "wrong",
    [
        ["explain"],
        ["explain", "-", "--delegate", "nobody"],
        ["explain", "not-there.eml", "--delegate", "billing"],
        ["explain", "-", "--delegate", "billing", "--rcpt", "no address"],
        ["explain", "-", "--delegate", "billing", "--mail-from", "no address", "--rcpt", "a@b.example"],
        ["explain", "-", "--delegate", "billing", "-c", "not-there.toml"],
        ["explain", "-", "--delegate", "billing", "--policies", "not-there"],
        ["explain", "-", "--delegate", "billing", "--at", "now"],
    ],
)
def test_wrong_usage_is_exit_code_2(wrong: list[str], demo: Demo) -> None:
    known = [] if "-c" in wrong else ["-c", str(demo.state / "relay.toml")]
    done = CliRunner().invoke(main, [*wrong, *known], input=MINE.raw)
    assert done.exit_code == 2
    assert done.output


def cases(number: int) -> Iterator[str]:
    """Cases with an answer that depends on their number."""
    for index in range(number):
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:user/billing"},
            "Action": "ses:SendRawEmail",
            "Resource": DOMAIN,
            "Condition": {"StringLike": {"ses:FromAddress": f"user{index % 3}@*"}},
        }
        case = {
            "id": f"case-{index}",
            "policy": {"Version": "2012-10-17", "Statement": [statement]},
            "principal": "arn:aws:iam::111111111111:user/billing",
            "action": "ses:SendRawEmail",
            "resource": DOMAIN,
            "context": {"ses:FromAddress": f"user{index % 2}@example.com", "padding": "x" * (index % 500)},
        }
        yield "no case\n" if index % 100 == 99 else json.dumps(case) + "\n"


def decision(index: int) -> str:
    if index % 100 == 99:
        return "Undecided"
    return "Allow" if index % 2 == index % 3 else "ImplicitDeny"


def batch(*prefix: str) -> "subprocess.Popen[str]":
    """``explain --batch -``, with pipes at both ends."""
    return subprocess.Popen(
        [sys.executable, *(prefix or ("-m", "relay")), "explain", "--batch", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environ(),
        text=True,
    )


def test_a_batch_answers_as_it_is_asked() -> None:
    """Whoever asks case by case hears each answer before the next question; 2,000 more come in order."""
    with batch() as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for line in cases(3):
            running.stdin.write(line)
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["id"].startswith("case-")
        lines = list(cases(2000))
        feeding = threading.Thread(target=lambda: (running.stdin.writelines(lines), running.stdin.close()))  # type: ignore[union-attr]  # checked above
        feeding.start()
        answers = [json.loads(line) for line in running.stdout]
        feeding.join()
        assert running.wait(20) == 0
    assert [answer["decision"] for answer in answers] == [decision(index) for index in range(2000)]
    assert [answer["id"] for answer in answers if answer["id"]] == [
        f"case-{index}" for index in range(2000) if index % 100 != 99
    ]


#: Not by getrusage: that counts what the process was before it became this program.
MEASURED = """
from pathlib import Path
from relay.cli import main
try:
    main()
finally:
    import sys
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def peak_of(number: int) -> int:
    """The most memory, in KiB, that a batch of so many cases takes."""
    with batch("-c", MEASURED) as running:
        out, said = running.communicate("".join(cases(number)), timeout=50)
    assert out.count("\n") == number
    return int(said)


def test_a_batch_takes_the_same_memory_however_long_it_is() -> None:
    """10,000 cases of some megabytes: what is kept of one is forgotten with it."""
    assert peak_of(10_000) - peak_of(200) < 3 * 1024
