"""Which identity governs an address."""

from typing import Any

import pytest

from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from relay.words.endings import Reason
from tests.judgement.building import (
    APP,
    NOW,
    OWNER,
    allow,
    arn,
    catalog,
    delegate,
    deny,
    envelope,
    facts,
    identity,
    judge,
)

SOMEBODY = "arn:aws:iam::999999999999:user/somebody"
DOMAIN = identity("example.com", allow())


def first(*arguments: Any, **options: Any) -> Any:
    return judge(*arguments, **options).decisions[0]


# --- an explicit ARN --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("x", "550 5.6.0"),
        ("arn:aws:ses:us-east-1:888888888888", "550 5.6.0"),
        (f"{arn('example.com')}, {arn('example.com')}", "550 5.6.0"),
        (f'"{arn("example.com")}"', "550 5.6.0"),
        (arn("a" * 400), "550 5.6.0"),
        (arn("ex\u00e4mple.com"), "550 5.6.7"),
        ("ARN:AWS:SES:US-EAST-1:888888888888:IDENTITY/EXAMPLE.COM", "554 5.7.1"),
        ("arn:azure:ses:us-east-1:888888888888:identity/example.com", "554 5.7.1"),
        ("arn:aws:sns:us-east-1:888888888888:identity/example.com", "554 5.7.1"),
        ("arn:aws:ses:us-east-1:888888888888:configuration-set/example.com", "554 5.7.1"),
        ("arn:aws:ses:us-east-1:888888888888:identity/", "554 5.7.1"),
        (arn("*"), "554 5.7.1"),
        (arn("other.example"), "554 5.7.1"),
        (arn("notexample.com"), "554 5.7.1"),
        (arn("mple.com"), "554 5.7.1"),
        (arn("EXAMPLE.com"), "554 5.7.1"),
        (arn("example.com", account="1"), "554 5.7.1"),
        (arn("example.com", region="eu-west-1"), "554 5.7.1"),
        ("arn:aws-cn:ses:us-east-1:888888888888:identity/example.com", "554 5.7.1"),
        (arn("example.com", region="*"), "554 5.7.1"),
    ],
)
@pytest.mark.parametrize("field", ["from_arn", "source_arn"])
def test_an_arn_that_cannot_serve_is_refused_by_form_or_by_what_it_names(text, status, field):
    judgement = judge(catalog(DOMAIN), facts(**{field: text}))

    assert str(judgement.reply).startswith(status)
    assert judgement.reason is (Reason.MESSAGE_FORM if status[4:] < "5.7" else Reason.IDENTITY_UNKNOWN)


def test_a_default_arn_of_bad_form_is_the_operators_fault_not_the_messages():
    judgement = judge(catalog(DOMAIN), who=delegate(default_source_arn="x"))

    assert str(judgement.reply).startswith("554 5.7.1 Message rejected: default_source_arn")


def test_region_star_is_refused_with_a_text_that_says_so():
    assert "region *" in judge(catalog(DOMAIN), facts(source_arn=arn("example.com", region="*"))).reply.text


@pytest.mark.parametrize("author", ["app@example.com", "app@sub.example.com", "app@a.b.EXAMPLE.com"])
def test_a_domain_covers_itself_and_every_subdomain(author):
    judgement = judge(catalog(DOMAIN), facts(author, source_arn=arn("example.com")))

    assert judgement.permit.from_arn == arn("example.com")


@pytest.mark.parametrize("author", ["App@example.com", "app+x@example.com", "app@EXAMPLE.com", "ap@example.com"])
def test_an_address_identity_grants_only_its_exact_spelling(author):
    known = catalog(identity("app@example.com", allow()))

    assert judge(known, facts("app@example.com")).permit is not None
    named = judge(known, facts(author, from_arn=arn("app@example.com")))
    inferred = judge(known, facts(author))
    assert "does not cover" in named.reply.text
    assert "Email address is not verified" in inferred.reply.text


# --- inferred ---------------------------------------------------------------------------------------------------------


def test_inferred_is_the_only_owner_with_a_verified_identity_for_the_address():
    known = catalog(
        DOMAIN,
        identity("other.example", allow(), account="1"),
        identity("example.com", allow(), account="2", verified=False),
    )
    decision = first(known)

    assert str(decision.identity) == arn("example.com")
    assert "inferred" in decision.chosen


@pytest.mark.parametrize("place", [{"account": "777777777777"}, {"region": "eu-west-1"}])
def test_two_places_are_named_with_the_setting_to_add(place):
    judgement = judge(catalog(DOMAIN, identity("example.com", allow(), **place)))

    assert str(judgement.reply).startswith("554 5.7.1")
    assert next(iter(place.values())) in judgement.reply.text
    assert "default_source_arn" in judgement.reply.text


def test_never_chosen_by_outcome():
    """Only one of the two would allow; that must not make it the one."""
    known = catalog(DOMAIN, identity("example.com", deny(), account="777777777777"))

    assert judge(known).permit is None
    assert judge(known, facts(source_arn=arn("example.com"))).permit is not None


def test_a_named_identity_is_judged_within_its_account_and_region_only():
    known = catalog(
        DOMAIN, identity("app@example.com", deny(), account="777777777777"), identity("example.com", region="eu-west-1")
    )

    assert judge(known, facts(source_arn=arn("example.com"))).permit is not None


def test_required_wants_a_name_wherever_the_table_says_inferred():
    rules = Rules(source_arn="required")
    unnamed = judge(catalog(DOMAIN), rules=rules)
    half = judge(catalog(DOMAIN), facts(from_arn=arn("example.com")), rules=rules)

    assert str(unnamed.reply).startswith("554 5.7.1 Message rejected: no identity is named for app@example.com")
    assert [d.verdict for d in half.decisions] == [Verdict.ALLOWED, Verdict.NOT_ALLOWED]
    assert judge(catalog(DOMAIN), facts(source_arn=arn("example.com")), rules=rules).permit is not None
    assert judge(catalog(DOMAIN), rules=rules, who=delegate(default_source_arn=arn("example.com"))).permit is not None


def test_nobodys_address_is_refused_in_ses_words_all_addresses_at_once():
    judgement = judge(catalog(DOMAIN), facts("a@b.example"), envelope("c@d.example"))

    assert str(judgement.reply) == (
        "554 5.7.1 Message rejected: Email address is not verified. The following identities failed the check in "
        "region US-EAST-1: a@b.example, c@d.example (delegate app, from)"
    )
    assert judgement.reason is Reason.IDENTITY_UNKNOWN


def test_unverified_identities_neither_grant_nor_take_precedence():
    unverified = identity("app@example.com", deny(), verified=False)

    assert judge(catalog(DOMAIN, unverified)).permit is not None
    assert judge(catalog(identity("example.com", allow(), verified=False))).reason is Reason.IDENTITY_UNKNOWN
    assert (
        judge(catalog(DOMAIN, unverified), facts(source_arn=arn("app@example.com"))).reason is Reason.IDENTITY_UNKNOWN
    )


# --- precedence -------------------------------------------------------------------------------------------------------


def test_policies_of_an_address_take_the_place_of_its_domains_both_ways():
    forbidden = catalog(identity("example.com", deny()), identity("app@example.com", allow()))
    allowed = catalog(DOMAIN, identity("app@example.com", deny()))

    decision = first(forbidden)
    assert (decision.verdict, str(decision.identity)) == (Verdict.ALLOWED, arn("app@example.com"))
    assert "take the place" in decision.chosen
    assert first(forbidden, facts("other@example.com")).verdict is Verdict.DENIED
    assert first(allowed).verdict is Verdict.DENIED
    assert first(allowed, facts("other@example.com")).verdict is Verdict.ALLOWED


def test_an_address_without_policies_falls_to_its_domain():
    decision = first(catalog(DOMAIN, identity("app@example.com")))

    assert (decision.verdict, str(decision.identity)) == (Verdict.ALLOWED, arn("example.com"))
    assert "has no policies" in decision.chosen


def test_an_address_with_policies_of_which_none_matches_is_not_allowed():
    decision = first(catalog(DOMAIN, identity("app@example.com", allow(SOMEBODY))))

    assert (decision.verdict, str(decision.identity)) == (Verdict.NOT_ALLOWED, arn("app@example.com"))


def test_an_identity_without_any_policy_allows_nobody():
    assert first(catalog(identity("example.com"))).verdict is Verdict.NOT_ALLOWED
    assert first(catalog(identity("app@example.com"))).verdict is Verdict.NOT_ALLOWED


@pytest.mark.parametrize("author", ["APP@example.com", "app+x@example.com", "App+y+z@example.com", "app@Example.com"])
def test_an_address_restricts_every_case_and_label_of_itself(author):
    """The domain grants, but the address must allow too."""
    forbidding = catalog(DOMAIN, identity("app@example.com", deny()))
    silent = catalog(DOMAIN, identity("app@example.com", allow(SOMEBODY)))
    without = catalog(DOMAIN, identity("app@example.com"))

    assert first(forbidding, facts(author)).verdict is Verdict.DENIED
    assert first(silent, facts(author)).verdict is Verdict.NOT_ALLOWED
    assert first(without, facts(author)).verdict is Verdict.ALLOWED


def test_an_address_that_allows_leaves_its_other_spellings_to_the_domain():
    allowing = identity("app@example.com", allow())

    decision = first(catalog(DOMAIN, allowing), facts("app+x@example.com"))
    assert (decision.verdict, str(decision.identity)) == (Verdict.ALLOWED, arn("example.com"))
    assert "app@example.com must allow as well" in decision.chosen
    assert decision.agreeing == (allowing.arn,)
    refused = first(catalog(identity("example.com", deny()), allowing), facts("app+x@example.com"))
    assert refused.verdict is Verdict.DENIED


def test_two_addresses_that_differ_in_case_restrict_each_other():
    known = catalog(identity("app@example.com", allow()), identity("APP@example.com", deny()))

    assert first(known).verdict is Verdict.DENIED


@pytest.mark.parametrize(("local", "restricted"), [("ceo+vip+x", True), ("ceo+vip", True), ("ceo", False)])
def test_a_label_restricts_its_own_labels_not_what_it_is_a_label_of(local, restricted):
    known = catalog(DOMAIN, identity("ceo+vip@example.com", deny()))

    assert (first(known, facts(f"{local}@example.com")).verdict is Verdict.DENIED) is restricted


@pytest.mark.parametrize(
    ("parent", "child", "verdict"),
    [
        (allow(), allow(), Verdict.ALLOWED),
        (allow(), deny(), Verdict.DENIED),
        (deny(), allow(), Verdict.DENIED),
        (allow(SOMEBODY), allow(), Verdict.NOT_ALLOWED),
        (allow(), allow(SOMEBODY), Verdict.NOT_ALLOWED),
    ],
)
@pytest.mark.parametrize("named", [None, "example.com", "sub.example.com"])
def test_subdomain_and_parent_with_policies_must_both_allow(parent, child, verdict, named):
    known = catalog(identity("example.com", parent), identity("sub.example.com", child))
    message = facts("app@deep.sub.example.com", source_arn=named and arn(named))

    assert first(known, message, envelope("app@deep.sub.example.com")).verdict is verdict


def test_what_named_an_identity_is_told_and_who_had_to_agree():
    """The ARN that was named, though a policy on the address itself takes the domain's place; inferred: nothing."""
    known = catalog(DOMAIN, identity("sub.example.com", allow()), identity("app@example.com", allow()))
    setting = delegate(default_source_arn=arn("example.com"))

    named = judge(known, facts(source_arn=arn("example.com"))).decisions[0]
    assert (named.named, named.agreeing) == (("X-SES-SOURCE-ARN", arn("example.com")), ())
    assert str(named.identity) == arn("app@example.com")
    assert judge(known, facts(), who=setting).decisions[0].named == ("default_source_arn", arn("example.com"))
    below = judge(known, facts("app@sub.example.com"), envelope("app@sub.example.com")).decisions[0]
    assert (below.named, [str(one) for one in below.agreeing]) == (None, [arn("example.com")])
    refused = catalog(identity("example.com", allow(SOMEBODY)), identity("sub.example.com", allow()))
    assert [str(one) for one in first(refused, facts("app@sub.example.com")).agreeing] == [arn("example.com")]


@pytest.mark.parametrize(
    ("below", "verdict"),
    [
        ({"statements": [allow()]}, Verdict.ALLOWED),
        ({"statements": [deny()]}, Verdict.DENIED),
        ({"unreadable": True}, Verdict.UNDECIDED),
    ],
)
def test_whatever_the_answer_both_are_told(below, verdict):
    made = identity("sub.example.com", *below.pop("statements", ()), **below)
    named = ("X-SES-SOURCE-ARN", arn("example.com"))
    decision = first(catalog(DOMAIN, made), facts("app@sub.example.com", source_arn=named[1]))

    assert (decision.verdict, decision.named) == (verdict, named)
    assert [str(one) for one in decision.agreeing] == [arn("sub.example.com")]


def test_a_subdomain_without_policies_falls_to_its_parent():
    known = catalog(DOMAIN, identity("sub.example.com"))
    decision = first(known, facts("app@sub.example.com"))

    assert (decision.verdict, str(decision.identity)) == (Verdict.ALLOWED, arn("example.com"))


def test_naming_the_domain_does_not_get_around_the_address():
    known = catalog(DOMAIN, identity("app@example.com", allow(SOMEBODY)))
    decision = first(known, facts(source_arn=arn("example.com")))

    assert (decision.verdict, str(decision.identity)) == (Verdict.NOT_ALLOWED, arn("app@example.com"))


def test_naming_an_address_without_policies_falls_to_the_domain_too():
    permit = judge(catalog(DOMAIN, identity("app@example.com")), facts(source_arn=arn("app@example.com"))).permit

    assert permit.source_arn == arn("example.com")


# --- allow_source_arns ------------------------------------------------------------------------------------------------


def test_a_delegate_may_be_pinned_to_arns_named_or_inferred():
    known = catalog(DOMAIN, identity("other.example", allow()))
    pinned = delegate(allow_source_arns=(arn("example.com"),))

    assert judge(known, who=pinned).permit is not None
    assert judge(known, facts(source_arn=arn("example.com")), who=pinned).permit is not None
    for message in (facts("a@other.example"), facts("a@other.example", from_arn=arn("other.example"))):
        judgement = judge(known, message, who=pinned)
        assert str(judgement.reply).startswith("554 5.7.1")
        assert "not configured to send as other.example" in judgement.reply.text


def test_a_pin_holds_for_the_identity_that_decides_not_only_for_the_one_named():
    known = catalog(DOMAIN, identity("app@example.com", allow()))
    pinned = delegate(allow_source_arns=(arn("example.com"),))

    assert judge(known, facts(source_arn=arn("example.com")), who=pinned).permit is None


# --- what is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        Catalog(),
        catalog(DOMAIN, problem="down"),
        catalog(DOMAIN, listed_at=NOW - 3601),
        catalog(DOMAIN, listed_at=NOW + 3601),
        catalog(identity("example.com", allow(), read_at=NOW - 3601)),
        catalog(identity("example.com", allow(), problem="EACCES")),
        catalog(identity("example.com", problem="EACCES", verified=False)),
        catalog(identity("example.com", allow(), unreadable=True)),
        catalog(identity("example.com", deny(), read_at=NOW - 3601)),
        catalog(DOMAIN, identity("app@example.com", problem="EACCES")),
        catalog(DOMAIN, identity("app@example.com", read_at=NOW - 3601)),
        catalog(DOMAIN, identity("APP@example.com", problem="EACCES")),
        Catalog(catalog(DOMAIN).owners, "one account cannot be read"),
    ],
)
def test_what_is_unreadable_unknown_or_too_old_is_undecided_and_temporary(known):
    judgement = judge(known)

    assert (judgement.reply.code, judgement.reply.enhanced) == (451, (4, 7, 1))
    assert judgement.reason is Reason.POLICY_UNDECIDED
    assert {decision.verdict for decision in judgement.decisions} == {Verdict.UNDECIDED}


@pytest.mark.parametrize(
    "known",
    [
        catalog(DOMAIN, listed_at=NOW - 3599),
        catalog(identity("example.com", allow(), read_at=NOW - 3599)),
        catalog(DOMAIN, identity("other@example.com", problem="EACCES")),
        catalog(DOMAIN, identity("other.example", problem="EACCES")),
        catalog(identity("example.com", allow(), problem="EACCES"), identity("app@example.com", allow())),
    ],
)
def test_what_does_not_bear_on_the_address_does_no_harm(known):
    assert judge(known).permit is not None


def test_max_stale_is_the_operators():
    known = catalog(identity("example.com", allow(), read_at=NOW - 100))

    assert judge(known, rules=Rules(max_stale=99)).reply.code == 451
    assert judge(known, rules=Rules(max_stale=100)).permit is not None


def test_a_deny_decides_beside_a_policy_that_cannot_be_read():
    known = catalog(identity("example.com", deny(), unreadable=True))

    assert first(known).verdict is Verdict.DENIED


def test_a_fresh_refusal_of_one_agreeing_identity_is_final_beside_a_doubtful_one():
    known = catalog(identity("example.com", deny()), identity("sub.example.com", allow(), read_at=NOW - 9999))

    assert first(known, facts("a@sub.example.com")).verdict is Verdict.DENIED


def test_an_owner_that_cannot_be_listed_leaves_inference_undecided_but_not_a_named_identity():
    owners = {**catalog(DOMAIN).owners, **catalog(identity("x.example", account="2"), problem="down").owners}
    known = Catalog(owners)

    assert judge(known).reply.code == 451
    assert judge(known, facts(source_arn=arn("example.com"))).permit is not None


def test_two_known_places_are_ambiguous_whatever_a_third_may_hold():
    owners = {
        **catalog(DOMAIN, identity("example.com", account="1")).owners,
        **catalog(identity("x.example", account="2"), problem="down").owners,
    }

    assert str(judge(Catalog(owners)).reply).startswith("554 5.7.1")


def test_an_owner_that_may_exist_is_not_refused_for_good():
    known = Catalog(catalog(DOMAIN).owners, "one account cannot be read")

    assert judge(known, facts(source_arn=arn("example.com", account="1"))).reply is not None
    decision = judge(known, facts(from_arn=arn("example.com", account="1"))).decisions[0]
    assert decision.verdict is Verdict.UNDECIDED


# --- cost -------------------------------------------------------------------------------------------------------------


def test_a_lookup_asks_for_labels_not_for_identities():
    """Counted, not timed: however many identities there are, the same names are looked up."""
    asked: list[str] = []

    class Counting(dict[str, Any]):
        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

    many = catalog(*[identity(f"d{n}.example", allow()) for n in range(500)])
    owned = many.owners[OWNER, "us-east-1"]
    object.__setattr__(owned, "by_folded_name", Counting(owned.by_folded_name))
    judge(many, facts("a+b@x.d7.example", source_arn=arn("d7.example")), envelope("a+b@x.d7.example"))

    assert set(asked) == {"a+b@x.d7.example", "a@x.d7.example", "x.d7.example", "d7.example", "example"}


def test_the_digest_of_every_policy_that_was_read_is_kept():
    known = catalog(identity("example.com", allow()), identity("sub.example.com", allow(APP)))
    decision = first(known, facts("a@sub.example.com"))

    digests = {
        p.digest for o in known.owners.values() for g in o.by_folded_name.values() for i in g for p in i.policies
    }
    assert set(decision.digests) == digests
