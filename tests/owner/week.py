"""A week of mail that never was, through the real reception: what ``serve`` would have written of it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from relay.identities.folder import FolderDirectory
from relay.judgement.rules import Rules
from relay.mail.profile import Profile
from relay.observe.events import MessageEnded
from relay.observe.log import Log, LogOptions
from relay.observe.records import make_record
from relay.reception import Reception
from relay.sending.gates import Gates
from relay.sending.outcomes import Mail, Sent
from relay.walk import Clocks, House, Walk
from relay.words.addresses import NullPath, parse_address
from relay.words.delegates import Delegate
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session

DEMO = Path(__file__).parents[2] / "config" / "demo"
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
OWNER, REGION = "888888888888", "us-east-1"
DOMAIN = f"arn:aws:ses:{REGION}:{OWNER}:identity/example.com"
DELEGATES = {
    "billing": Delegate("billing", "arn:aws:iam::111111111111:user/billing"),
    "newsletter": Delegate("newsletter", "arn:aws:iam::222222222222:role/newsletter", account_grant=True),
    "intern": Delegate("intern", "arn:aws:iam::333333333333:user/intern"),
}


class Postman:
    """Where the mail goes: SES would take it all."""

    async def send(self, mail: Mail, region: str) -> Sent:
        return Sent(f"0100-{mail.source}-{region}")


@dataclass(slots=True)
class Week:
    """Sends mail as time goes by, and keeps a record of each."""

    policies: Path
    delegates: dict[str, Delegate] = field(default_factory=lambda: dict(DELEGATES))
    rules: Rules = field(default_factory=Rules)
    now: datetime = MONDAY
    records: list[dict[str, Any]] = field(default_factory=list)
    _directory: FolderDirectory | None = None

    async def send(
        self,
        delegate: str,
        author: str,
        *recipients: str,
        mail_from: str | None = None,
        times: int = 1,
        headers: Sequence[str] = (),
        name: str = "",
    ) -> None:
        """Let *delegate* send the same message *times* times, a minute apart."""
        lines = [f"From: {name} <{author}>", *headers, "Subject: hello", "Date: Mon, 16 Nov 2026 00:00:00 +0000"]
        raw = "\r\n".join([*lines, "", "hello", ""]).encode()
        path = author if mail_from is None else mail_from
        for _ in range(times):
            self.now += timedelta(minutes=1)
            envelope = Envelope(
                NullPath.NULL if path == "<>" else parse_address(path).with_domain_lowered(),
                tuple(parse_address(one).with_domain_lowered() for one in recipients or ("ann@example.net",)),
                f"id{len(self.records):05}",
            )
            session = Session("s", "127.0.0.1:2525", "127.0.0.1", "app", "ESMTPSA", delegate)
            reception = self._reception()
            ending = reception.early_answer(session, envelope) or await reception.receive(session, envelope, raw)
            self.keep(session, envelope, ending, len(raw))

    def leave(self, delegate: str, times: int = 1) -> None:
        """Let a client go away after MAIL."""
        gone = Ending(Outcome.ABORTED, Reason.CLIENT_GONE, Reply(421, (4, 4, 2), "gone"))
        for _ in range(times):
            envelope = Envelope(parse_address("a@example.com"), (), f"id{len(self.records):05}")
            self.keep(Session("s", "l", "127.0.0.1", "app", "ESMTPSA", delegate), envelope, gone, None)

    def keep(self, session: Session, envelope: Envelope, ending: Ending, size: int | None) -> None:
        made = make_record(
            id=envelope.id,
            time=self.now.timestamp(),
            session=session,
            principal=self.delegates[session.delegate].principal,
            reverse_path=str(envelope.reverse_path),
            recipients=[str(path) for path in envelope.forward_paths],
            ending=ending,
            size=size,
            seconds=0.1,
        )
        self.records.append(made)

    def write(self, path: Path, **options: Any) -> Path:
        """Write the log of the week as ``serve`` does."""
        with path.open("ab") as file:
            log = Log(LogOptions(**options), write=lambda line: file.write(line) and None, key=b"key")
            log.line("info", "relay.ready", {"pid": 1})
            for record in self.records:
                outcome = Outcome(record["outcome"])
                log(MessageEnded(record["delegate"], outcome, Reason(record["reason"]), 1, 1, 0.1, record))
        return path

    def _seconds(self) -> float:
        return self.now.timestamp()

    def _reception(self) -> Reception:
        if self._directory is None:
            self._directory = FolderDirectory(self.policies, (), lambda _event: None, self._seconds)
        directory = self._directory
        directory.refresh()
        house = House(self.delegates.get, self.rules, Profile(own_name="relay.example"), "relay.example")
        clocks = Clocks(self._seconds, lambda: 0.0)
        walk = Walk(house, directory, observe=lambda _event: None, clocks=clocks)
        return Reception(walk, Postman(), gates=Gates(most=1, now=lambda: 0.0, chance=lambda: 0.0))


def demo_policies(folder: Path) -> Path:
    """Copy the demo's policies, to be changed."""
    return Path(shutil.copytree(DEMO / "policies", folder))


def edit(root: Path, name: str, identity: str = "example.com", **changes: Any) -> None:
    """Change the only statement of a policy."""
    path = root / OWNER / REGION / identity / f"{name}.json"
    document = json.loads(path.read_text())
    document["Statement"][0] |= changes
    path.write_text(json.dumps(document))


async def demo_week(policies: Path) -> Week:
    """The week of the demo: 300 messages, of which 40 were refused by policies, 10 for their form, and 5 never came."""
    week = Week(policies)
    await week.send("billing", "billing@example.com", times=100, mail_from="bounce@example.com")
    for number in range(20):
        await week.send("billing", f"invoices+{number}@example.com", times=2, name="Invoices")
    await week.send("newsletter", "news@example.com", "ann@example.net", "bob@example.net", times=105)
    await week.send("newsletter", "news@example.com", "ann@example.net", "bob@example.org", times=12)
    await week.send("newsletter", "events@example.com", times=8)
    await week.send("intern", "intern@example.com", times=15)
    await week.send("billing", "ceo@example.com", mail_from="billing@example.com", times=3)
    await week.send("billing", "someone@elsewhere.example", mail_from="billing@example.com", times=2)
    await week.send("billing", "billing@example.com", headers=["From: second@example.com"], times=10)
    week.leave("billing", 5)
    return week
