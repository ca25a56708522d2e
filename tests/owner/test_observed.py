"""A decision record is read back into the very message that was judged."""

import json
from typing import Any

import pytest

from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.observe.privacy import AddressHashes
from relay.observe.records import SCHEMA_VERSION
from relay.owner.folder import read_policy_folder
from relay.owner.grant import Grant, policy_of
from relay.owner.observed import HashedAddresses, NotReplayable, Observed
from relay.owner.records import read_observed
from relay.words.arns import parse_identity_arn
from relay.words.delegates import Delegate
from tests.owner.week import DELEGATES, DOMAIN, OWNER, REGION, Week


def arn(name: str) -> str:
    return DOMAIN.replace("example.com", name)


CEO = arn("ceo@example.com")


def observed(record: dict[str, Any]) -> Observed:
    seen = read_observed(record)
    assert isinstance(seen, Observed)
    return seen


async def last(week: Week, *args: Any, **kwargs: Any) -> dict[str, Any]:
    await week.send(*args, **kwargs)
    return week.records[-1]


async def test_what_was_judged_is_what_is_read(policies):
    """Author, addresses, name, recipients and time come back as the judge had them."""
    week = Week(policies)
    recipients = ("a@x.example", "b@y.example")
    name = "=?utf-8?q?J=C3=B6?="
    record = await last(week, "billing", "billing@Example.com", *recipients, mail_from="BB@Example.COM", name=name)

    seen = observed(record)

    assert str(seen.author) == "billing@Example.com"
    assert str(seen.mail_from) == str(seen.feedback) == "BB@example.com"
    assert seen.recipients == recipients
    assert seen.display_name is not None
    assert seen.display_name.decoded == "Jö"
    assert seen.display_name.raw == name
    assert seen.time == week.now.timestamp()


async def test_a_return_path_field_is_told_from_mail_from(policies):
    week = Week(policies)
    record = await last(
        week, "billing", "billing@example.com", mail_from="b2@example.com", headers=["Return-Path: <b1@example.com>"]
    )

    seen = observed(record)
    facts = seen.facts()

    assert facts is not None
    assert (str(facts.return_path), str(seen.envelope().reverse_path)) == ("b1@example.com", "b2@example.com")


@pytest.mark.parametrize(
    ("headers", "defaults", "named"),
    [
        ([], {}, {}),
        ([f"X-SES-SOURCE-ARN: {DOMAIN}"], {}, {"X-SES-SOURCE-ARN": DOMAIN}),
        ([f"X-SES-FROM-ARN: {DOMAIN}"], {}, {"X-SES-FROM-ARN": DOMAIN}),
        ([f"X-SES-RETURN-PATH-ARN: {DOMAIN}"], {}, {"X-SES-RETURN-PATH-ARN": DOMAIN}),
        ([], {"default_source_arn": DOMAIN}, {"default_source_arn": DOMAIN}),
        ([], {"default_from_arn": DOMAIN}, {"default_from_arn": DOMAIN}),
    ],
)
async def test_what_named_an_identity_is_read_off_the_record(policies, headers, defaults, named):
    """Field or setting, with the ARN: the delegate can be asked again as it asked."""
    delegates = {"billing": Delegate("billing", DELEGATES["billing"].principal, **defaults)}
    week = Week(policies, delegates=delegates)

    seen = observed(await last(week, "billing", "billing@example.com", headers=headers))

    assert dict(seen.named) == named


async def test_a_domain_that_was_named_is_read_where_an_address_took_precedence(policies):
    """The record tells the address identity for one role and the domain for the other: the domain was named."""
    week = Week(policies)
    record = await last(
        week, "billing", "ceo@example.com", mail_from="billing@example.com", headers=[f"X-SES-SOURCE-ARN: {DOMAIN}"]
    )

    assert [role["identity"] for role in record["roles"]] == [CEO, DOMAIN]
    assert dict(observed(record).named) == {"X-SES-SOURCE-ARN": DOMAIN}


async def test_what_named_a_sealed_identity_is_read_too(policies):
    own = Delegate("billing", DELEGATES["billing"].principal, is_caller=True)
    week = Week(policies, delegates={"billing": own}, rules=Rules(sealed=frozenset({(OWNER, REGION)})))

    seen = observed(await last(week, "billing", "billing@example.com", headers=[f"X-SES-SOURCE-ARN: {DOMAIN}"]))

    assert {role.verdict for role in seen.roles} == {"sealed"}
    assert dict(seen.named) == {"X-SES-SOURCE-ARN": DOMAIN}


async def test_others_that_had_to_agree_are_read(policies):
    """A subdomain with policies of its own beside its parent: both were asked."""
    below = policies / OWNER / REGION / "mail.example.com"
    below.mkdir()
    (below / "open.json").write_text(json.dumps(policy_of(Grant(parse_identity_arn(arn("mail.example.com")), "*"))))

    seen = observed(await last(Week(policies), "billing", "billing@mail.example.com"))

    assert {(role.identity, role.agreeing) for role in seen.roles} == {(arn("mail.example.com"), (DOMAIN,))}


async def test_a_record_without_these_fields_tells_of_nobody(policies):
    """Before version 3; the identity that governed is known all the same."""
    record = await last(Week(policies), "billing", "billing@example.com", headers=[f"X-SES-SOURCE-ARN: {DOMAIN}"])
    rows = [{key: row[key] for key in row.keys() - {"named", "agreeing"}} for row in record["roles"]]

    seen = observed({**record, "schema": 2, "roles": rows})

    assert (seen.named, {role.identity for role in seen.roles}) == ((), {DOMAIN})


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("AccessDenied: User `arn' is not authorized to perform `ses:SendRawEmail'", "refused"),
        ("MessageRejected: Email address is not verified. The following identities failed", "refused"),
        ("MessageRejected: the message contains a virus", "sealed"),
    ],
)
async def test_what_ses_said_of_sealed_mail_is_its_answer(policies, error, verdict):
    """It alone judged; what it holds against the message itself is no policy's doing."""
    own = Delegate("billing", DELEGATES["billing"].principal, is_caller=True, default_source_arn=DOMAIN)
    week = Week(policies, delegates={"billing": own}, rules=Rules(sealed=frozenset({(OWNER, REGION)})))
    record = await last(week, "billing", "billing@example.com")

    seen = observed({**record, "outcome": "rejected", "reason": "ses-refused", "ses_id": None, "ses_error": error})

    assert (seen.answer.verdict, seen.was_sent) == (verdict, False)


async def test_judged_again_by_the_same_policies_the_answer_is_the_same(week, policies):
    """For every message of a week: verdict, reason and identities."""
    catalog = read_policy_folder(policies, lambda: 0.0).catalog
    for record in week.records:
        seen = read_observed(record)
        if isinstance(seen, NotReplayable) or (facts := seen.facts()) is None:
            continue
        again = judge_message(
            facts, seen.envelope(), week.delegates[seen.delegate], catalog, Rules(max_stale=1e12), seen.time
        )
        assert [(str(d.identity) if d.identity else None, d.verdict) for d in again.decisions] == [
            (role.identity, role.verdict) for role in seen.roles
        ]
        assert again.reason == seen.answer.reason


async def test_what_no_policy_decided_is_not_judged_again(week):
    told = [seen for record in week.records if isinstance(seen := read_observed(record), NotReplayable)]

    assert told.count(NotReplayable.FORM) == 10
    assert told.count(NotReplayable.UNASKED) == 5
    assert len(told) == 15


async def test_an_arn_that_could_not_be_used_is_not_judged_again(policies):
    """The record does not hold it, so nobody knows what to ask."""
    week = Week(policies)
    elsewhere = DOMAIN.replace("888888888888", "999999999999")

    for field in ("X-SES-SOURCE-ARN", "X-SES-FROM-ARN"):
        record = await last(week, "billing", "billing@example.com", headers=[f"{field}: {elsewhere}"])
        assert record["reason"] == "identity-unknown"
        assert read_observed(record) is NotReplayable.IDENTITY


async def test_hashed_addresses_are_refused(week):
    hashed = AddressHashes(b"key").fields(week.records[0])

    with pytest.raises(HashedAddresses, match="hashed"):
        read_observed(hashed)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": SCHEMA_VERSION + 1},
        {"schema": "1"},
        {"time": "yesterday"},
        {"time": None},
        {"roles": [{"role": "from"}]},
        {"roles": 5},
        {"roles": [None]},
        {"recipients": [5]},
        {"recipients": None},
    ],
)
async def test_a_record_that_is_none_is_said_to_be_none(policies, change):
    """Whatever stands in a log, it is counted, and nothing ends for it."""
    record = await last(Week(policies), "billing", "billing@example.com")

    assert read_observed(json.loads(json.dumps({**record, **change}))) is NotReplayable.UNREADABLE


async def test_a_record_of_the_first_version_is_still_read(policies):
    record = await last(Week(policies), "billing", "billing@example.com")

    assert observed({**record, "schema": 1}) == observed(record)


async def test_every_reason_has_its_sentence():
    assert len({member.why for member in NotReplayable}) == len(NotReplayable)


async def test_mail_that_was_only_observed_is_told_by_its_verdict(policies):
    """It was sent; policies did not allow it."""
    intern = DELEGATES["intern"]
    week = Week(policies, delegates={"intern": Delegate("intern", intern.principal, mode="observe")})

    seen = observed(await last(week, "intern", "intern@example.com"))

    assert seen.was_sent
    assert seen.spared
    assert (seen.answer.verdict, seen.answer.reason) == ("denied", "policy-denied")
