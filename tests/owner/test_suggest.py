"""A suggestion lets through what was seen and nothing else; where it must be wider, it says so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.mail.facts import MessageFacts
from relay.owner.observed import NotReplayable, Observed
from relay.owner.records import read_observed
from relay.owner.statements import LONGEST_POLICY, Pattern
from relay.owner.suggest import Sightings, Suggestion, identities_of, suggest
from relay.owner.widening import FEW_DOMAINS, MANY_ADDRESSES, fold_labels, whole_domains
from relay.policy.document import Policy, parse_policy
from relay.walk import role_record
from relay.words.addresses import Address, parse_address
from relay.words.arns import IdentityArn, parse_identity_arn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope
from tests.owner.week import DOMAIN, Week, demo_policies

APP = "arn:aws:iam::111111111111:user/app"
SESSION = "arn:aws:sts::111111111111:assumed-role/r/s"
IDENTITY = parse_identity_arn(DOMAIN)


@dataclass(frozen=True)
class Mail:
    author: str
    mail_from: str
    recipients: tuple[str, ...]
    return_path: str | None = None


def open_catalog(*names: str) -> Catalog:
    """Identities that let everybody send: what is seen of it is what a relay that observes would see."""
    return catalog_of({name: [anything(name)] for name in names})


def anything(name: str) -> Policy:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ses:*", "Resource": arn(name)}
    made = parse_policy("open", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    assert isinstance(made, Policy)
    return made


def arn(name: str) -> str:
    return DOMAIN.replace("example.com", name)


def catalog_of(policies: Mapping[str, Sequence[Policy]]) -> Catalog:
    identities = [Identity(parse_identity_arn(arn(name)), True, tuple(found)) for name, found in policies.items()]
    return Catalog({("888888888888", "us-east-1"): OwnedIdentities.of(identities, 0.0)})


def judged(mail: Mail, catalog: Catalog, principal: str = APP) -> Any:
    facts = MessageFacts(
        parse_address(mail.author),
        None,
        parse_address(mail.return_path) if mail.return_path else None,
        None,
        None,
        None,
    )
    envelope = Envelope(parse_address(mail.mail_from), tuple(map(parse_address, mail.recipients)))
    return judge_message(facts, envelope, Delegate("app", principal), catalog, Rules(), 0.0)


def seen(mails: Sequence[Mail], catalog: Catalog, principal: str = APP) -> Sightings:
    """What the records of these mails teach."""
    sightings = Sightings("app")
    for mail in mails:
        record = {
            "id": "1",
            "time": "2026-11-16T00:00:00.000000Z",
            "delegate": "app",
            "principal": principal,
            "recipients": list(mail.recipients),
            "roles": [role_record(decision) for decision in judged(mail, catalog, principal).decisions],
            "outcome": "accepted",
            "reason": "none",
        }
        observed = read_observed(record)
        assert isinstance(observed, Observed)
        sightings.add(observed)
    return sightings


def suggested(mails: Sequence[Mail], *, group: bool = False) -> tuple[list[Suggestion], Catalog]:
    """The suggestions for a delegate's mail, and a catalog of nothing but them."""
    names = ("example.com", "bounces.example", "ann@example.com")
    sightings = seen(mails, open_catalog(*names))
    suggestions = [suggest(sightings, each, group=group) for each in identities_of(sightings)]
    policies: dict[str, list[Policy]] = {name: [] for name in names}
    for each in suggestions:
        policy = parse_policy(each.name, each.text)
        assert isinstance(policy, Policy)
        policies[each.identity.name].append(policy)
    return suggestions, catalog_of(policies)


LOCALS = ["ann", "bob", "invoices+1", "invoices+2", "a*b", "who?", "${x}", "$", "Ann", "x" * 40]
AUTHORS = st.sampled_from([f"{local}@example.com" for local in LOCALS] + ["ann@Example.COM", "news@mail.example.com"])
BOUNCES = st.sampled_from(["ann@example.com", "b@bounces.example", "b+1@bounces.example", "B@bounces.example"])
RECIPIENTS = st.lists(st.sampled_from([f"to@{d}.example" for d in "abcdefgh"]), min_size=1, max_size=3, unique=True)
MAILS = st.lists(
    st.builds(Mail, AUTHORS, BOUNCES, RECIPIENTS.map(tuple), st.none() | BOUNCES), min_size=1, max_size=6, unique=True
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MAILS, AUTHORS, BOUNCES, st.booleans())
def test_what_was_seen_is_allowed_and_nobody_else(mails, author, bounce, group):
    """
    Every observed message passes the suggestion; without grouping, no author with a feedback address that was not
    seen together.
    """
    suggestions, catalog = suggested(mails, group=group)

    for mail in mails:
        assert judged(mail, catalog).permit is not None, mail
    if group or any(each.widened for each in suggestions):
        return
    pairs = {(mail.author, path) for mail in mails for path in (mail.return_path, mail.mail_from) if path}
    known = {(spelt(one), path) for one, path in pairs} | pairs
    other = Mail(author, bounce, mails[0].recipients)
    assert judged(other, catalog).permit is None or (author, bounce) in known


def spelt(author: str) -> str:
    return str(parse_address(author).with_domain_lowered())


def test_another_author_bounce_recipient_or_principal_is_not_allowed():
    _, catalog = suggested([Mail("ann@example.com", "b@bounces.example", ("to@a.example",))])

    assert judged(Mail("ann@example.com", "b@bounces.example", ("other@a.example",)), catalog).permit is not None
    assert judged(Mail("bob@example.com", "b@bounces.example", ("to@a.example",)), catalog).permit is None
    assert judged(Mail("ann@example.com", "c@bounces.example", ("to@a.example",)), catalog).permit is None
    assert (
        judged(Mail("ann@example.com", "b@bounces.example", ("to@a.example", "to@b.example")), catalog).permit is None
    )
    stranger = "arn:aws:iam::111111111111:user/other"
    assert judged(Mail("ann@example.com", "b@bounces.example", ("to@a.example",)), catalog, stranger).permit is None


def test_every_identity_gets_a_policy_of_its_own():
    suggestions, _ = suggested([Mail("bob@example.com", "b@bounces.example", ("to@a.example",))])

    assert [each.identity.name for each in suggestions] == ["bounces.example", "example.com"]
    for each in suggestions:
        (statement,) = each.policy["Statement"]
        assert statement["Resource"] == str(each.identity)
        assert statement["Action"] == "ses:SendRawEmail"
        assert statement["Condition"]["StringEquals"] == {
            "ses:FromAddress": "bob@example.com",
            "ses:FeedbackAddress": "b@bounces.example",
        }


def test_recipients_are_named_while_they_are_few():
    few = [Mail("bob@example.com", "bob@example.com", (f"to@{n}.example",)) for n in range(FEW_DOMAINS)]
    many = [*few, Mail("bob@example.com", "bob@example.com", ("to@another.example",))]

    (named,), _ = suggested(few)
    (anybody,), _ = suggested(many)

    condition = named.policy["Statement"][0]["Condition"]
    assert condition["ForAllValues:StringLike"]["ses:Recipients"] == [f"*@{n}.example" for n in range(FEW_DOMAINS)]
    assert condition["Null"] == {"ses:Recipients": "false"}
    assert "any recipient" not in " ".join(named.open)
    assert "ForAllValues:StringLike" not in anybody.policy["Statement"][0]["Condition"]
    assert "any recipient" in " ".join(anybody.open)


def test_grouping_makes_patterns_of_labels_and_of_many():
    mails = [Mail(f"invoices+{n}@example.com", "b@bounces.example", ("to@a.example",)) for n in range(3)]
    mails += [Mail(f"person{n}@mail.example.com", "b@bounces.example", ("to@a.example",)) for n in range(9)]

    suggestions, catalog = suggested(mails, group=True)

    (statement,) = suggestions[-1].policy["Statement"]
    assert statement["Condition"]["StringLike"]["ses:FromAddress"] == ["*@mail.example.com", "invoices+*@example.com"]
    assert suggestions[-1].widened
    assert judged(Mail("invoices+77@example.com", "b@bounces.example", ("to@a.example",)), catalog).permit is not None
    assert judged(Mail("invoice@example.com", "b@bounces.example", ("to@a.example",)), catalog).permit is None


@pytest.mark.parametrize("count", [30, 120, 800])
def test_it_is_widened_until_ses_takes_it(count):
    """One author for each feedback address: exactness would need a statement each."""
    mails = [Mail(f"person{n}@example.com", f"bounce-{n}@bounces.example", ("to@a.example",)) for n in range(count)]

    suggestions, catalog = suggested(mails)

    for each in suggestions:
        assert len(each.text.encode()) <= LONGEST_POLICY
        assert each.fits
        assert each.widened
    for mail in mails[:: count // 10]:
        assert judged(mail, catalog).permit is not None
    assert judged(Mail("ann@example.com", "someone@elsewhere.example", ("to@a.example",)), catalog).permit is None


def test_what_cannot_be_made_to_fit_says_so():
    """Hundreds of domains of authors: no policy holds them, and none is passed off as one."""
    mails = [Mail(f"a@{n:04}.{'x' * 50}.example.com", "b@bounces.example", ("to@a.example",)) for n in range(200)]

    suggestions, _ = suggested(mails)

    assert [each.fits for each in suggestions] == [False, False]
    assert not (suggestions[0].to_json()["bytes"] <= LONGEST_POLICY)


def test_the_actions_are_those_that_were_used():
    """Large messages go by SendEmail, which asks for its own permission."""
    sightings = seen([Mail("bob@example.com", "bob@example.com", ("to@a.example",))], open_catalog("example.com"))
    sightings.actions.add("ses:SendEmail")

    policy = suggest(sightings, IDENTITY).policy

    assert policy["Statement"][0]["Action"] == ["ses:SendEmail", "ses:SendRawEmail"]


async def test_a_large_message_that_waits_in_the_spool_shows_what_it_will_need(tmp_path):
    """Nothing was called for it yet; its size tells."""
    week = Week(demo_policies(tmp_path / "policies"))
    await week.send("billing", "billing@example.com")
    sightings = Sightings("billing")
    for octets, actions in ((4096, {"ses:SendRawEmail"}), (12 << 20, {"ses:SendRawEmail", "ses:SendEmail"})):
        observed = read_observed({**week.records[0], "api": None, "bytes": octets})
        assert isinstance(observed, Observed)
        sightings.add(observed)
        assert sightings.actions == actions


@pytest.mark.parametrize(
    ("principal", "element", "remark"),
    [
        (APP, {"AWS": APP}, None),
        ("111111111111", {"AWS": "111111111111"}, "whole account"),
        (
            "arn:aws:sts::111111111111:assumed-role/r/s",
            {"AWS": "arn:aws:sts::111111111111:assumed-role/r/s"},
            "session",
        ),
        ("ecs.amazonaws.com", {"Service": "ecs.amazonaws.com"}, None),
    ],
)
def test_the_principal_is_the_one_of_the_records(principal, element, remark):
    mail = Mail("bob@example.com", "bob@example.com", ("to@a.example",))

    made = suggest(seen([mail], open_catalog("example.com"), principal), IDENTITY)

    assert made.policy["Statement"][0]["Principal"] == element
    assert remark is None or remark in " ".join(made.open)


async def test_what_was_only_observed_is_said_to_be(policies):
    """A suggestion would let it through for good, but no Allow lifts a Deny."""
    intern = Delegate("intern", "arn:aws:iam::333333333333:user/intern", mode="observe")
    week = Week(policies, delegates={"intern": intern})
    await week.send("intern", "intern@example.com", times=3)
    sightings = Sightings("intern")
    for record in week.records:
        observed = read_observed(record)
        assert isinstance(observed, Observed)
        sightings.add(observed)

    told = " ".join(suggest(sightings, IDENTITY).open)

    assert "3 of 3 messages went out only because observed" in told
    assert "a Deny was met by 3 of 3 messages" in told


def test_of_several_principals_the_latest_is_named():
    mail = Mail("bob@example.com", "bob@example.com", ("to@a.example",))
    sightings = seen([mail], open_catalog("example.com"), "111111111111")
    sightings.principals[APP] = 1

    made = suggest(sightings, IDENTITY)

    assert made.policy["Statement"][0]["Principal"] == {"AWS": APP}
    assert "2 principals" in " ".join(made.open)


async def test_refused_mail_teaches_only_when_asked(week):
    sent, all_of_it = Sightings("newsletter"), Sightings("newsletter")
    for record in week.records:
        observed = read_observed(record)
        if not isinstance(observed, NotReplayable) and observed.delegate == "newsletter":
            all_of_it.add(observed)
            if observed.was_sent:
                sent.add(observed)

    assert (sent.messages, all_of_it.messages) == (105, 125)
    assert "events@example.com" not in suggest(sent, IDENTITY).text
    assert "events@example.com" in suggest(all_of_it, IDENTITY).text


async def test_a_message_that_nobody_saw_teaches_nothing(policies):
    week = Week(policies)
    await week.send("intern", "intern@example.com")
    await week.send("billing", "someone@elsewhere.example", mail_from="billing@example.com")
    sightings = Sightings("intern")
    for record in week.records:
        observed = read_observed(record)
        assert isinstance(observed, Observed)
        sightings.add(observed)

    assert (sightings.messages, sightings.without_identity, identities_of(sightings)) == (0, 1, [])


def test_folding_keeps_what_could_not_stay_literal():
    """A literal asterisk beside a wild one: there is no spelling for that which is not guessed at."""
    addresses = [Pattern(f"{stem}+{n}@example.com") for stem in ("a", "a*", "b?", "${x}") for n in (1, 2)]

    folded = fold_labels([*addresses, Pattern("lone+1@example.com")])

    assert {pattern for pattern in folded.values() if pattern.is_wild} == {Pattern("a+*@example.com", is_wild=True)}
    assert len(set(folded.values())) == 1 + 6 + 1


def test_a_whole_domain_is_more_than_a_few_of_it():
    few = [Pattern(f"{n}@few.example") for n in range(MANY_ADDRESSES)]
    many = [Pattern(f"{n}@many.example") for n in range(MANY_ADDRESSES + 1)]

    folded = whole_domains([*few, *many], above=MANY_ADDRESSES)

    assert set(folded.values()) == {*few, Pattern("*@many.example", is_wild=True)}


def test_an_identity_is_an_arn():
    sightings = Sightings("app", by_identity={"hash:1": {}, DOMAIN: {}})

    assert identities_of(sightings) == [IDENTITY]
    assert isinstance(IDENTITY, IdentityArn)
    assert isinstance(parse_address("a@example.com"), Address)
