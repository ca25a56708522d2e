"""X-SES fields other than the ARNs: refused, stripped, or honoured as the operator grants."""

from typing import Any

import pytest

from relay.judgement.rules import Rules
from relay.words.apis import Api
from relay.words.endings import Reason
from tests.judgement.building import allow, catalog, delegate, facts, identity, judge, statement

OPEN = catalog(identity("example.com", statement(Action="ses:Send*")))
OWN = ("ses-relay-delegate", "app")
STRIP = Rules(x_ses_headers="strip")


def permit(x_ses: Any = None, rules: Any = None, **settings: Any) -> Any:
    return judge(OPEN, facts(x_ses=x_ses or {}), who=delegate(**settings), rules=rules).permit


def reply(x_ses: Any, **settings: Any) -> str:
    judgement = judge(OPEN, facts(x_ses=x_ses), who=delegate(**settings))
    assert judgement.permit is None
    assert judgement.reason is Reason.MESSAGE_FORM
    return str(judgement.reply)


@pytest.mark.parametrize(
    "name",
    [
        "x-ses-configuration-set",
        "x-ses-message-tags",
        "x-ses-tenant",
        "x-ses-list-management-options",
        "x-ses-future-thing",
    ],
)
def test_whatever_is_not_granted_is_refused_by_name(name):
    assert reply({name: "a=b"}).startswith(f"550 5.7.1 {name.upper()} is refused")


@pytest.mark.parametrize("granted", [{}, {"allow_configuration_sets": ("wished",), "allow_message_tags": True}])
def test_strip_honours_nothing(granted):
    fields = {"x-ses-configuration-set": "wished", "x-ses-message-tags": "a=b", "x-ses-future-thing": "1"}
    stripped = permit(fields, STRIP, configuration_set="default", **granted)

    assert (stripped.configuration_set, stripped.tags, stripped.tenant) == ("default", (OWN,), None)


def test_a_configuration_set_is_honoured_from_the_allow_list_only():
    fields = {"x-ses-configuration-set": "tracking"}

    assert permit(fields, allow_configuration_sets=("tracking",), configuration_set="d").configuration_set == "tracking"
    assert "not granted" in reply(fields, allow_configuration_sets=("Tracking", "tracking2"))


def test_the_delegates_own_configuration_set_and_tenant_need_no_field():
    assert permit(configuration_set="d").configuration_set == "d"
    assert permit().configuration_set is None
    assert permit(tenant="t").tenant == "t"


def test_a_tenant_is_honoured_from_the_allow_list_only():
    assert permit({"x-ses-tenant": "t"}, allow_tenants=("t",)).tenant == "t"
    assert "not granted" in reply({"x-ses-tenant": "t"}, allow_tenants=("T",))


def test_mail_of_a_tenant_goes_by_the_call_that_has_a_word_for_it():
    only_raw = catalog(identity("example.com", allow()))

    assert permit(tenant="t").api is Api.V2
    assert permit().api is Api.RAW
    assert judge(only_raw, who=delegate(tenant="t")).permit is None
    assert permit({"x-ses-tenant": "t"}, STRIP, allow_tenants=("t",)).api is Api.RAW


def test_a_chosen_tenant_is_not_absent_from_the_context():
    known = catalog(identity("example.com", statement(Action="ses:*", condition={"Null": {"ses:TenantName": "true"}})))

    assert judge(known).permit is not None
    assert judge(known, who=delegate(tenant="t")).permit is None


def test_message_tags_are_merged_with_the_relays_own():
    tags = permit({"x-ses-message-tags": "campaign=spring-2, id = a_1"}, allow_message_tags=True).tags

    assert tags == (("campaign", "spring-2"), ("id", "a_1"), OWN)


@pytest.mark.parametrize(
    "value",
    ["", "a", "a=", "=b", "a=b;c=d", "a=b,", "a=b c", "a=\u00e9", "a.b=c", "a=b=c", f"a={'x' * 257}", "a=b, a=c"],
)
def test_message_tags_of_another_form_are_refused(value):
    assert reply({"x-ses-message-tags": value}, allow_message_tags=True).startswith("550 5.6.0 X-SES-MESSAGE-TAGS")


@pytest.mark.parametrize("name", ["ses-relay-delegate", "SES-Relay-Delegate", "ses-relay-x"])
def test_the_relays_own_tags_cannot_be_forged(name):
    assert reply({"x-ses-message-tags": f"{name}=other"}, allow_message_tags=True).startswith("550 5.7.1")
