"""Targets in the mail room: the reader with all its readings, the From grammar, repairs, addresses and ARNs."""

import re
from collections.abc import Sequence
from typing import Final, get_args

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.mailboxes import Mailbox, read_mailbox, read_return_path
from relay.mail.problems import Broken
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from relay.mail.repairs import Plan, repair
from relay.mail.rewriting import rewrite
from relay.words.addresses import Address, AddressProblem, parse_address
from relay.words.arns import ArnProblem, check_arn_text, parse_identity_arn
from relay.words.delegates import Repair
from relay.words.replies import Reply
from tests.fuzz.target import CASES, Target, rows, tokens
from tests.mail.letters import RECEIVED, letter
from tests.readings.all import READINGS, check_one_reading, named_by
from tests.readings.cases import MESSAGES
from tests.readings.mutants import TOKENS

PLAN: Final = Plan(get_args(Repair), 1 << 20, "Thu, 20 Nov 2025 10:00:00 +0000", "<repaired@relay.example>")
#: What is sent has one Received field more than what came.
WITH_ONE_MORE: Final = Profile(header_bytes=66560, fields=501, folds=1002, received=51)
_RULE: Final = re.compile(r"P(?:[1-9]|1[01])")


def check_reply(reply: Reply) -> None:
    """Assert that a refusal can be said to a client, and breaks no dialogue."""
    assert reply.code // 100 in (4, 5)
    assert reply.enhanced is not None
    assert reply.text.isascii()
    assert reply.text.isprintable()
    assert len(reply.text) < 1000


def reader(raw: bytes) -> None:
    """Refused by a rule, or one author for everybody; sent is what came, less what steers, plus our field."""
    facts = read_facts(raw)
    assert read_facts(raw) == facts
    if isinstance(facts, MessageProblem):
        assert _RULE.fullmatch(facts.rule)
        check_reply(facts.reply)
        return
    check_one_reading(raw)
    sent = rewrite(raw, facts, RECEIVED)
    assert isinstance(sent, bytes)
    assert sent.startswith(RECEIVED.encode())
    assert sent.endswith(raw[raw.index(b"\r\n\r\n") :])
    again = read_facts(sent, WITH_ONE_MORE)
    assert isinstance(again, MessageFacts), again
    assert (again.author, again.display_name) == (facts.author, facts.display_name)
    assert (again.return_path, again.source_arn, again.x_ses) == (None, None, {})
    assert b"\n" not in raw.replace(b"\r\n", b"")


def from_field(value: bytes) -> None:
    """A mailbox is cut from its octets, is read alike by everybody, and its name shows no other."""
    try:
        mailbox = read_mailbox.__wrapped__(value, "From")
    except Broken as broken:
        check_reply(broken.problem.reply)
        return
    check_mailbox(mailbox, value)
    if b"\r" not in value and b"\n" not in value and b"\0" not in value:
        check_one_reading(letter(author=value))


def check_mailbox(mailbox: Mailbox, value: bytes) -> None:
    """Assert what holds of every mailbox that is read."""
    written = str(mailbox.address)
    assert parse_address(written) == mailbox.address
    assert written.encode("ascii") in value
    if mailbox.name is not None:
        assert mailbox.name.decoded.isprintable() or not mailbox.name.decoded.isascii()
        assert "@" not in mailbox.name.decoded or mailbox.name.decoded == written


def return_path(value: bytes) -> None:
    """One address, its domain lower-cased, spelt in the field."""
    try:
        address = read_return_path(value)
    except Broken as broken:
        check_reply(broken.problem.reply)
        return
    assert address == address.with_domain_lowered()
    assert str(address).lower().encode() in value.lower()


def repairs(raw: bytes) -> None:
    """A repair is made once, and whoever could read the message before reads the same author after it."""
    repaired = repair(raw, PLAN)
    assert (repaired.raw != raw) == bool(repaired.made)
    facts = check_one_reading(repaired.raw)
    again = repair(repaired.raw, PLAN)
    if facts is None:
        return
    assert again.made == (), (repaired, again)
    if repaired.made:
        for name in READINGS:
            assert set(named_by(name, raw)) <= {str(facts.author)}, name


def address(octets: bytes) -> None:
    """One spelling: what is read is what was written, 7-bit, with one ``@``, and stays the same when read again."""
    text = octets.decode("latin-1")
    for on_a_host in (False, True):
        found = _read(text, on_a_host=on_a_host)
        if found is None:
            continue
        assert str(found) == text
        assert text.isascii()
        assert text.count("@") == 1
        assert not set(text) & set(' \t\r\n()<>[]:;\\,"')
        assert on_a_host or "." in found.domain
        lowered = found.with_domain_lowered()
        assert parse_address(str(lowered), maybe_on_a_host=on_a_host) == lowered
        assert lowered.local == found.local


def _read(text: str, *, on_a_host: bool) -> Address | None:
    try:
        return parse_address(text, maybe_on_a_host=on_a_host)
    except AddressProblem:
        return None


def arn(octets: bytes) -> None:
    """An identity's ARN is spelt as it was read, and covers only its own domain and what is below it."""
    text = octets.decode("latin-1")
    try:
        check_arn_text(text)
    except ArnProblem:
        assert not is_identity(text)
        return
    assert len(text) <= 400
    assert text.isascii()
    assert not re.search(r"[\s\",]", text)
    if not is_identity(text):
        return
    identity = parse_identity_arn(text)
    assert str(identity) == text
    for written in ("a@example.com", "a+b@sub.example.com", "ceo@evilexample.com"):
        found = parse_address(written)
        own = identity.name.rpartition("@")[2].lower()
        assert not identity.covers(found) or f".{found.domain}".endswith(f".{own}")
        assert not (identity.is_address and identity.covers(found)) or found.domain == own


def is_identity(text: str) -> bool:
    """Whether *text* is the ARN of an identity."""
    try:
        parse_identity_arn(text)
    except ArnProblem:
        return False
    return True


def _small() -> list[bytes]:
    return [raw for raw in MESSAGES if len(raw) < 4000]


def _worn() -> list[bytes]:
    return [raw.replace(b"\r\n", b"\n") for raw in _small()] + _small()


def _from_values() -> list[bytes]:
    found = [re.search(rb"(?im)^from:[ \t]*(.*?)\r?$", raw) for raw in _small()]
    return sorted({match[1] for match in found if match})


def _addresses() -> Sequence[bytes]:
    found = {token for raw in _small() for token in re.findall(rb"[^\s<>]+@[^\s<>]*", raw)}
    return sorted(found | {b"www-data@web01", b"a@b.co", str(Address("a" * 64, "b" * 63 + ".example")).encode()})


def _arns() -> Sequence[bytes]:
    texts = (CASES / "attacks.jsonl").read_text() + "".join(raw.decode("latin-1") for raw in _small())
    arns = {found.encode("latin-1") for found in re.findall(r"arn:[^\s\"]+", texts)}
    return sorted(arns | {row["resource"].encode() for row in rows("policy-docs.jsonl") if "resource" in row})


TARGETS: Final = (
    Target("reader", reader, _small, (*TOKENS,), longest=1500),
    Target("from", from_field, _from_values, (*TOKENS,)),
    Target("return-path", return_path, _addresses, tokens("return-path")),
    Target("repairs", repairs, _worn, (*TOKENS, *tokens("repairs")), longest=1500),
    Target("address", address, _addresses, tokens("address")),
    Target("arn", arn, _arns, tokens("arn")),
)
