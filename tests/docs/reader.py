"""A reader at a terminal: the demo beside them, some mail sent already, and a folder with what the pages speak of."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relay.localses.keys import DEMO_KEYS
from tests.docs.pages import ROOT, Block, blocks_of
from tests.docs.typist import at_hand
from tests.system.relays import EmbeddedSes, RunningRelay, clean_environ, started_demo

#: What the pages call things that the reader's own relay gave a name: two that SES has, or not; two that wait.
SENT, REFUSED = "0100...", "b21f527fb9a8284a"
WAITING = ("8b05ac2f4cb3ba18", "31348d9c06b5b8ec")
DEMO_FOLDER: Final = "/tmp/ses-relay-demo-w9hnxwhx"
LOGS: Final = "/var/log/ses-relay/"
#: What a page speaks of as not there yet, and the demo has.
NEW: Final = {"docs/how-to/verify-an-identity.md": {"example.com": "shop.example"}}
THROTTLED: Final = {"code": "Throttling", "message": "Maximum sending rate exceeded.", "times": len(WAITING)}
#: What the pages tell to have at hand, beside the demo's own files.
FILES: Final = {
    "message.eml": "From: billing@example.com\nTo: bob@example.net\nSubject: Invoice\n\nYour invoice.\n",
    "tests/invoice.eml": "From: invoices@example.com\nTo: bob@example.net\nSubject: Invoice\n\nYour invoice.\n",
    "tests/as-the-ceo.eml": "From: ceo@example.com\nTo: bob@example.net\nSubject: Urgent\n\nPay this.\n",
    "tests/cases.yaml": "- {name: billing sends, delegate: billing, from: billing@example.com, expect: allow}\n",
}
#: What a page shows first in such a language, and tells to save.
SAMPLES: Final = {"python": "mail.py", "yaml": "cases.yaml", "json": "marketing.json"}
#: Commands that fail are told, and answers of HTTP that say no.
PROLOGUE: Final = """\
set -o pipefail
trap 'echo "$block $?" >>.told' ERR
curl() { command curl --fail --silent --show-error "$@"; }
"""


@dataclass(frozen=True)
class Reader:
    """Who types what a page shows, and agrees to whatever is asked."""

    demo: RunningRelay
    state: Path
    names: Mapping[str, str]
    program: Path

    def types(self, page: str, blocks: Sequence[Block], folder: Path) -> str:
        """
        Type *blocks* of a page into one shell, in a fresh folder.

        Returns:
            What went otherwise than the words of the blocks say, and what was printed; empty if nothing did.
        """
        self._furnish(folder, page)
        script = "".join(f"block={each.line}; echo == $block\n{each.text}" for each in blocks)
        script = _replaced(script, {**self.names, **NEW.get(page, {})})
        printed = self._type(f"{PROLOGUE}{script}echo done >>.told\n", folder)
        told = (folder / ".told").read_text().splitlines()
        wanted = [f"{block.line} {code}" for block in blocks if (code := exit_code_of(block))]
        wrong = "" if told == [*wanted, "done"] else f"{page}: {told}, not {wanted}:\n{printed}\n"
        return wrong + "".join(self._otherwise(block, printed) for block in blocks if "prints" in block.words)

    def _otherwise(self, block: Block, printed: str) -> str:
        """Return what a block printed, unless the page shows it, or a part; ids, numbers and line ends aside."""
        said = printed.partition(f"== {block.line}\n")[2].partition("\n== ")[0]
        shown = block_below(block).text
        gist = gist_of(shown, self.names)
        return "" if gist and gist in gist_of(said, self.names) else f"{block.place} prints:\n{said}\n"

    def _type(self, script: str, folder: Path) -> str:
        owner = DEMO_KEYS[0]
        more = {
            "PATH": f"{self.program}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / ".local" / "state"),
            "AWS_ENDPOINT_URL": f"http://{self.demo.addresses['ses']}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": owner.id,
            "AWS_SECRET_ACCESS_KEY": owner.secret,
        }
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as agreeing:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=folder,
                env=clean_environ(more),
                stdin=agreeing.stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=100,
                check=False,
            )
            agreeing.kill()
        return done.stdout

    def _furnish(self, folder: Path, page: str) -> None:
        """Lay out the demo's files, the log of the mail so far, and what the page shows."""
        shutil.copytree(self.state, folder, ignore=shutil.ignore_patterns("*.db*"))
        (folder / "demo").symlink_to(self.state)
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "tests").mkdir()
        shutil.copytree(folder / "policies", folder / "proposed")
        narrow = folder / "proposed/888888888888/us-east-1/example.com/billing.json"
        narrow.write_text(narrow.read_text().replace('"billing@example.com", ', ""))
        records: list[dict[str, Any]] = json.loads(self.demo.get("/api/decisions"))["decisions"]
        log = "".join(json.dumps({"event": "message", **each}, separators=(",", ":")) + "\n" for each in records[::-1])
        (folder / "week.log.gz").write_bytes(gzip.compress(log.encode()))
        shown = list(blocks_of(page))
        samples = {name: next((each.text for each in shown if each.words == (of,)), "") for of, name in SAMPLES.items()}
        for name, text in {**FILES, "relay.log": log, **samples}.items():
            (folder / name).write_text(_replaced(text, self.names))


def block_below(block: Block) -> Block:
    """Return the next block of the page."""
    return next(each for each in blocks_of(block.page) if each.line > block.line)


def gist_of(text: str, names: Mapping[str, str]) -> str:
    """Return *text* without what differs each time."""
    return re.sub(r"\b[0-9a-f]{16}\b|[0-9]+", "N", " ".join(_replaced(text, names).split()))


def exit_code_of(block: Block) -> int:
    """Return what the words after the fence say of the last command: ``sh exits-1``."""
    return next((int(word.removeprefix("exits-")) for word in block.words if word.startswith("exits-")), 0)


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """Run the demo, with a journal on disk, and send through it what the pages speak of."""
    state = folder / "state"
    shutil.copytree(ROOT / "config" / "demo", state)
    settings = state / "relay.toml"
    with settings.open("a") as file:
        file.write(f'\n[journal]\npath = "{state}/journal.db"\n\n[spool]\nurl = "sqlite://{state}/spool.db"\n')
    with at_hand(folder / "bin") as program, started_demo(folder) as demo:
        names = {
            "127.0.0.1:2525": demo.addresses["listeners"][0],
            '"127.0.0.1", 2525': '"{}", {}'.format(*demo.smtp),
            "127.0.0.1:8025": demo.addresses["admin"],
            "127.0.0.1:8579": demo.addresses["ses"],
            DEMO_FOLDER: str(state),
            LOGS: "",
        }
        settings.write_text(_replaced(settings.read_text(), names))
        yield Reader(demo, state, names | _correspondence(demo), program)


def _correspondence(demo: RunningRelay) -> dict[str, str]:
    """One message sent, one refused, two that wait and are held; return their ids by those in the pages."""
    sent = _send(demo, "billing@example.com").split()[-1]
    refused = _send(demo, "reminders@example.com").rpartition("decision ")[2].rstrip(")")
    ses = EmbeddedSes(f"http://{demo.addresses['ses']}")
    ses.suffer(THROTTLED)
    waiting = {name: _send(demo, "invoices@example.com").split()[-1] for name in WAITING}
    ses.forget_faults()
    for own in waiting.values():
        url = f"http://{demo.addresses['admin']}/api/spool/{own}/hold"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass
    return {SENT: sent, REFUSED: refused, **waiting}


def _send(demo: RunningRelay, author: str) -> str:
    message = f"From: {author}\r\nTo: bob@example.net\r\n\r\nHello.\r\n"
    with demo.client("billing", "demo-billing-secret") as client:
        return client.hand_over(author, ["bob@example.net"], message.encode())


def _replaced(text: str, names: Mapping[str, str]) -> str:
    """Return *text* with the reader's own names in the place of the page's."""
    for name, own in names.items():
        text = text.replace(name, own)
    return text
