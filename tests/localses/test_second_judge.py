"""
The embedded SES against another's evaluator, over generated policies and sends through its real endpoint.

Which identity is asked, and with which context, is worked out here once more, from what was sent alone.
``DIFFERENTIAL_EXAMPLES`` sets how many (``make differential`` takes many).
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS
from relay.policy.answers import Decision
from tests.localses.running import Door, House
from tests.localses.second_judge import (
    A_KEY_NOBODY_KNOWS,
    THE_ACCOUNT,
    THE_ROLE_OF_A_SESSION,
    Answer,
    Question,
    contradictions,
    second_answer,
)
from tests.localses.test_sending import BILLING, ROLE, SESSION
from tests.policy.differences import Kind

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "3000")) // 50
OWNER = DEMO_KEYS[0]
IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity/"
DOMAIN, ADDRESS = "example.com", "ann@example.com"
UNKNOWN = frozenset({"aws:sourceip", "aws:useragent", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"})
AUTHORS = (ADDRESS, "Ann@example.com", "bob@example.com", "ann+x@sub.example.com")
NAMES = ("", "Ann", "Ann Marketing", "Jörg")
RECIPIENTS = ("a@example.net", "b@example.net", "a@EXAMPLE.NET", "c@rival.example")


@dataclass(frozen=True)
class Sending:
    """One send: who, by which version, raw or composed, from whom, to whom, with feedback to whom."""

    who: str
    version: str
    raw: bool
    author: str
    name: str
    feedback: str
    recipients: tuple[str, ...]

    @property
    def principal(self) -> str:
        return {"user": BILLING.principal, "session": SESSION, "owner": OWNER.principal}[self.who]

    @property
    def actions(self) -> list[str]:
        if not self.raw:
            return ["ses:SendEmail"]
        return ["ses:SendRawEmail"] if self.version == "ses" else ["ses:SendRawEmail", "ses:SendEmail"]

    def asked(self) -> dict[str, Any]:
        """The parameters; the domain's ARN is named for both addresses."""
        shown = self.name if self.name.isascii() else "=?utf-8?q?J=C3=B6rg?="
        author = f"{shown} <{self.author}>" if shown else self.author
        message = f"From: {author}\r\nSubject: s\r\n\r\nt\r\n".encode()
        arn, to = IDENTITY + DOMAIN, {"ToAddresses": self.recipients}
        composed = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
        if self.version == "sesv2":
            return {
                **({} if self.raw else {"FromEmailAddress": author}),
                "FromEmailAddressIdentityArn": arn,
                "FeedbackForwardingEmailAddress": self.feedback,
                "FeedbackForwardingEmailAddressIdentityArn": arn,
                "Destination": to,
                "Content": {"Raw": {"Data": message}} if self.raw else {"Simple": composed},
            }
        arns = {"SourceArn": arn, "ReturnPathArn": arn}
        if self.raw:
            return {**arns, "Source": self.feedback, "Destinations": self.recipients, "RawMessage": {"Data": message}}
        return {**arns, "Source": author, "ReturnPath": self.feedback, "Destination": to, "Message": composed}

    def send(self, clients: dict[tuple[str, str], Any]) -> str:
        """``sent``, or the code of the refusal."""
        client = clients[self.who, self.version]
        try:
            (client.send_raw_email if self.raw and self.version == "ses" else client.send_email)(**self.asked())
        except ClientError as error:
            return str(error.response["Error"]["Code"]).removesuffix("Exception")
        return "sent"

    def questions(self, policies: dict[str, dict[str, str]]) -> Iterator[Question]:
        """What SES has to ask, and of which identity: an address with policies goes before its domain."""
        context = {
            "ses:FromAddress": [self.author],
            "ses:FeedbackAddress": [self.feedback],
            "ses:Recipients": list(self.recipients),
            "aws:SecureTransport": ["true"],
            "aws:CurrentTime": ["2026-11-21T08:00:00Z"],
            "aws:PrincipalAccount": [self.principal.split(":")[4]],
            "aws:PrincipalArn": [ROLE.arn if self.who == "session" else self.principal],
        }
        if self.name:
            context["ses:FromDisplayName"] = [self.name]
        if self.version == "sesv2":
            context["ses:ApiVersion"] = ["2"]
        unknown = UNKNOWN if self.version == "sesv2" else UNKNOWN | {"ses:apiversion"}
        for address in (self.author, self.feedback):
            local, _, domain = address.partition("@")
            is_ann = f"{local.partition('+')[0]}@{domain}" == ADDRESS
            identity = ADDRESS if is_ann and policies[ADDRESS] else DOMAIN
            for action in self.actions:
                yield Question(self.principal, action, IDENTITY + identity, context, policies[identity], unknown)


def once_or_more(*values: str) -> st.SearchStrategy[Any]:
    one = st.sampled_from(values)
    return st.one_of(one, st.lists(one, min_size=1, max_size=2, unique=True))


ADDRESSES = once_or_more(*AUTHORS, "*@example.com", "*", "*@*example.com", "an?@example.com")
CONDITIONS: dict[str, tuple[tuple[str, ...], st.SearchStrategy[Any]]] = {
    "ses:FromAddress": (
        ("StringEquals", "StringLike", "StringNotLike", "StringNotEquals", "StringEqualsIgnoreCase"),
        ADDRESSES,
    ),
    "ses:FeedbackAddress": (("StringEquals", "StringLike", "StringNotLikeIfExists"), ADDRESSES),
    "ses:FromDisplayName": (
        ("StringEquals", "StringLike", "StringNotLike", "StringEqualsIfExists"),
        once_or_more("Ann", "*Marketing*", "Jörg", "*"),
    ),
    "ses:Recipients": (
        ("ForAllValues:StringLike", "ForAnyValue:StringLike", "ForAllValues:StringNotLike", "ForAnyValue:StringEquals"),
        once_or_more("*@example.net", "*@rival.example", "a@example.net"),
    ),
    "ses:ApiVersion": (("StringEquals", "StringNotEquals"), st.sampled_from(["1", "2"])),
    "aws:SecureTransport": (("Bool",), st.sampled_from(["true", "false"])),
    "aws:CurrentTime": (
        ("DateGreaterThan", "DateLessThan"),
        st.sampled_from(["2021-08-31T12:00Z", "2199-01-01T00:00:00Z"]),
    ),
    "aws:SourceIp": (("IpAddress", "NotIpAddress"), st.sampled_from(["192.0.2.0/24", "127.0.0.0/8"])),
    "aws:PrincipalArn": (("ArnEquals", "ArnNotLike"), st.sampled_from([ROLE.arn, BILLING.principal])),
}


@st.composite
def statements(draw: st.DrawFn, identity: str) -> dict[str, Any]:
    """A statement that SES takes."""
    named = once_or_more(BILLING.principal, "111111111111", ROLE.arn, SESSION, "222222222222", OWNER.principal)
    condition: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=2, unique=True)):
        operators, values = CONDITIONS[key]
        condition.setdefault(draw(st.sampled_from(operators)), {})[key] = draw(values)
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
        "Principal": draw(st.one_of(st.just("*"), named.map(lambda people: {"AWS": people}))),
        "Action": draw(once_or_more("ses:SendRawEmail", "ses:SendEmail", "ses:Send*", "ses:*")),
        "Resource": IDENTITY + identity,
        **({"Condition": condition} if condition else {}),
    }


def policies(identity: str, most: int) -> st.SearchStrategy[dict[str, str]]:
    text = st.builds(
        lambda version, listed: json.dumps({"Version": version, "Statement": listed}),
        st.sampled_from(["2012-10-17", "2008-10-17"]),
        st.lists(statements(identity), min_size=1, max_size=3),
    )
    return st.dictionaries(st.sampled_from(["p", "q"]), text, max_size=most)


SENDINGS = st.builds(
    Sending,
    st.sampled_from(["user", "user", "session", "owner"]),
    st.sampled_from(["ses", "sesv2"]),
    st.booleans(),
    st.sampled_from(AUTHORS),
    st.sampled_from(NAMES),
    st.sampled_from(["bounce@example.com", ADDRESS, "ann+tag@example.com"]),
    st.lists(st.sampled_from(RECIPIENTS), min_size=1, max_size=3, unique=True).map(tuple),
)


@pytest.fixture(scope="module")
def served(house: House) -> Iterator[tuple[Door, dict[tuple[str, str], Any]]]:
    """The endpoint, and a client of each API for everybody."""
    with house.running(LocalSes([*DEMO_KEYS, BILLING], roles=[ROLE])) as door:
        sts = door.client("sts", key=BILLING.id, secret=BILLING.secret)
        given_out = sts.assume_role(RoleArn=ROLE.arn, RoleSessionName="evening", ExternalId="x-9")["Credentials"]
        keys = {
            "user": {"key": BILLING.id, "secret": BILLING.secret},
            "owner": {"key": OWNER.id, "secret": OWNER.secret},
            "session": {
                "key": given_out["AccessKeyId"],
                "secret": given_out["SecretAccessKey"],
                "token": given_out["SessionToken"],
            },
        }
        owner = door.client()
        owner.verify_domain_identity(Domain=DOMAIN)
        owner.verify_email_identity(EmailAddress=ADDRESS)
        yield door, {(who, api): door.client(api, **key) for who, key in keys.items() for api in ("ses", "sesv2")}


def put(client: Any, identity: str, wanted: dict[str, str]) -> None:
    for name in ("p", "q"):
        if name in wanted:
            client.put_identity_policy(Identity=identity, PolicyName=name, Policy=wanted[name])
        else:
            client.delete_identity_policy(Identity=identity, PolicyName=name)


def is_allowed(sending: Sending, answer: Answer) -> bool:
    is_own = sending.who == "owner"
    return answer.decision is Decision.ALLOW or (is_own and answer.decision is not Decision.EXPLICIT_DENY)


def compare(sending: Sending, put_there: dict[str, dict[str, str]], outcome: str) -> str:
    """Hold an outcome against the second judge; return what could be compared."""
    answers = [second_answer(question) for question in sending.questions(put_there)]
    allowed = all(is_allowed(sending, answer) for answer in answers)
    kinds = frozenset[Kind]().union(*(answer.kinds for answer in answers))
    assert outcome in {"sent", "AccessDenied"}
    if not kinds:
        assert (outcome == "sent") is allowed, (sending, put_there, answers)
        return outcome
    if kinds == {Kind.DOUBT}:
        assert allowed or outcome != "sent", (sending, put_there, answers)
        return "doubt"
    return "known difference"


@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate])
@given(policies(DOMAIN, 2), policies(ADDRESS, 1), st.lists(SENDINGS, min_size=3, max_size=6))
def test_two_judges_agree_on_who_may_send(served, of_domain, of_address, sendings):
    """Policies put, messages sent by real clients: what is sent is what the second judge lets through."""
    door, clients = served
    there = {DOMAIN: of_domain, ADDRESS: of_address}
    door.local("DELETE", "judged")
    for identity, wanted in there.items():
        put(clients["owner", "ses"], identity, wanted)

    for sending in sendings:
        event(compare(sending, there, sending.send(clients)))

    assert contradictions(door.local("GET", "judged")[1]) == []


def test_the_comparison_compares(served):
    """Of what is generated, most has no known difference, and both outcomes are among it."""
    clients = served[1]
    seen: Counter[str] = Counter()

    @settings(max_examples=40, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(policies(DOMAIN, 2), policies(ADDRESS, 1), st.lists(SENDINGS, min_size=3, max_size=4))
    def compared(of_domain: dict[str, str], of_address: dict[str, str], sendings: list[Sending]) -> None:
        there = {DOMAIN: of_domain, ADDRESS: of_address}
        for identity, wanted in there.items():
            put(clients["owner", "ses"], identity, wanted)
        seen.update(compare(sending, there, sending.send(clients)) for sending in sendings)

    compared()
    assert min(seen["sent"], seen["AccessDenied"]) > 10, seen
    assert seen["sent"] + seen["AccessDenied"] > seen.total() / 2, seen


def judged(**changed: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": BILLING.principal}, "Action": "ses:*", "Resource": "*"}
    return {
        "principal": BILLING.principal,
        "action": "ses:SendRawEmail",
        "resource": IDENTITY + DOMAIN,
        "context": {"ses:fromaddress": [ADDRESS]},
        "unknown": [],
        "policies": {
            "p": json.dumps({"Version": "2012-10-17", "Statement": {**statement, **changed.pop("with_", {})}})
        },
        "decision": "Allow",
        "allowed": True,
    } | changed


def test_a_contradiction_is_found():
    """A decision that the second judge does not share, and an answer that does not follow from its decision."""
    assert contradictions([judged()]) == []
    assert len(contradictions([judged(decision="ImplicitDeny", allowed=False)])) == 1
    assert len(contradictions([judged(allowed=False)])) == 1
    assert len(contradictions([judged(with_={"Effect": "Deny"})])) == 1
    assert len(contradictions([judged(policies={}, decision="Allow")])) == 1


def test_a_policy_broken_by_hand_is_not_compared():
    """SES would not have taken it; the relay says so by itself."""
    assert contradictions([judged(policies={"p": "{"}, decision="Undecided", allowed=False)]) == []


def test_what_nobody_knows_makes_ours_the_stricter():
    """Of a key that nobody knows ours may say no to what the second judge allows; never the other way round."""
    condition = {"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    stricter = judged(with_=condition, unknown=["aws:sourceip"], decision="ImplicitDeny", allowed=False)
    answer = second_answer(Question.read(stricter))

    assert (answer.decision, answer.differences) == (Decision.ALLOW, frozenset({A_KEY_NOBODY_KNOWS.name}))
    assert contradictions([stricter]) == []
    laxer = {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    assert len(contradictions([judged(with_=laxer, unknown=["aws:sourceip"])])) == 1


@pytest.mark.parametrize(
    ("difference", "condition"),
    [
        (THE_ROLE_OF_A_SESSION, {"ArnEquals": {"aws:PrincipalArn": ROLE.arn}}),
        (THE_ACCOUNT, {"StringEquals": {"aws:PrincipalAccount": "222222222222"}}),
    ],
)
def test_a_difference_in_how_they_are_asked_shows(difference, condition):
    """Ours allows, the second judge does not, and nothing else explains it."""
    told = judged(with_={"Principal": "*", "Condition": condition}, principal=SESSION)
    told["context"] |= {"aws:principalarn": [ROLE.arn], "aws:principalaccount": ["222222222222"]}
    answer = second_answer(Question.read(told))

    assert (answer.decision, answer.differences) == (Decision.IMPLICIT_DENY, frozenset({difference.name}))
    assert difference.why.endswith(".")
