"""Owners, their identities and policies; and that a whole examination changes nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.identities.accounts import Access
from relay.identities.ses_api import SesApi
from relay.owner.doctor.catalog import CHECKS
from relay.owner.doctor.examination import examine
from relay.owner.doctor.findings import Status
from relay.owner.doctor.rounds import Rounds
from relay.owner.doctor.setup import DelegateAtAws, Owner
from relay.words.delegates import Delegate
from tests.owner.doctor.scene import BILLING, EXAMPLE, READER, STRANGER, failing, only
from tests.owner.doctor.test_aws import statement_in

CEO = "arn:aws:ses:us-east-1:888888888888:identity/ceo@example.com"
AT_SES = Owner("888888888888", ("us-east-1",), None, None, "ses")
BORROWED = replace(AT_SES, role_arn=READER.arn, external_id="tea")


def test_an_owner_whose_policies_are_readable(scene):
    (found,) = scene.found("owner.policies")

    assert (found.status, found.about) == ("ok", "888888888888 us-east-1")
    assert found.what == "2 identities, 2 verified; one was read with its policies"


def test_an_owners_role_is_used(scene):
    scene.key = STRANGER
    scene.accesses = [Access("888888888888", READER.arn, "tea")]
    found = scene.found("owner.role", "owner.policies", owners=(BORROWED,), policies=None)

    assert [(each.check, each.status.value) for each in found] == [("owner.role", "ok"), ("owner.policies", "ok")]


def test_an_owners_role_that_cannot_be_assumed(scene):
    scene.key = STRANGER
    found = scene.found("owner.policies", owners=(replace(BORROWED, external_id="coffee"),), policies=None)

    assert failing(found) == ["owner.role"]
    assert STRANGER.principal in only(found, "owner.role").fix
    assert only(found, "owner.policies").what == "it needs owner.role 888888888888, which fails"
    assert "coffee" not in str(found)


@pytest.mark.parametrize(
    ("owner", "status"), [(AT_SES, "failing"), (replace(AT_SES, source="directory"), "not-checked")]
)
def test_an_owner_of_another_account_without_a_role(scene, owner, status):
    scene.key = STRANGER
    (found,) = scene.found("owner.policies", owners=(owner,))

    assert found.status == status
    if status == "failing":
        assert "role_arn" in found.fix
        assert "ses:ListEmailIdentities" in found.fix
        assert STRANGER.principal in found.fix


@pytest.mark.parametrize(
    ("owner", "status"), [(AT_SES, "failing"), (replace(AT_SES, source="directory"), "not-checked")]
)
def test_policies_that_may_not_be_read(scene, owner, status):
    scene.door.local("PUT", "faults", {"ListEmailIdentities": [{"code": "AccessDeniedException", "status": 403}]})
    (found,) = scene.found("owner.policies", owners=(owner,))

    assert found.status == status
    first, second = (statement_in("{" + piece) for piece in found.fix.split("\n{")[1:])
    assert first == {"Effect": "Allow", "Action": "ses:ListEmailIdentities", "Resource": "*"}
    assert second["Resource"] == "arn:aws:ses:us-east-1:888888888888:identity/*"


def test_one_identity_that_may_not_be_read_is_enough(scene):
    scene.door.local("PUT", "faults", {"GetEmailIdentity": [{"code": "AccessDeniedException", "status": 403}]})
    found = scene.found("owner.policies", owners=(AT_SES,))

    assert failing(found) == ["owner.policies"]


def test_an_owner_who_does_not_answer(scene):
    scene.door.local("PUT", "faults", {"ListEmailIdentities": [{"code": "InternalFailure", "status": 500, "times": 9}]})
    found = scene.found("owner.policies", owners=(AT_SES,))

    assert failing(found) == ["owner.policies"]
    assert "does not answer" in found[0].fix


def test_an_owner_without_identities(scene):
    for name in ("example.com", "ceo@example.com"):
        scene.owner().delete_email_identity(EmailIdentity=name)

    assert only(scene.found("owner.policies"), "owner.policies").status == "warning"


def test_sealed_owners_are_not_looked_into(scene):
    (found,) = scene.found("owner.policies", owners=(replace(AT_SES, source="sealed"),))

    assert (found.status, "sealed" in found.what) == ("not-checked", True)


def test_identities_of_the_folder_and_of_delegates(scene):
    found = scene.found("identity", "identity.dkim", "feedback")

    assert [(each.check, each.about, each.status.value) for each in found] == [
        ("identity", CEO, "ok"),
        ("identity", EXAMPLE, "ok"),
        ("identity.dkim", EXAMPLE, "ok"),
        ("feedback", CEO, "ok"),
        ("feedback", EXAMPLE, "ok"),
    ]


def test_identities_that_are_not_there(scene):
    scene.owner().delete_email_identity(EmailIdentity="ceo@example.com")
    delegates = (DelegateAtAws(BILLING, identities=("arn:aws:ses:us-east-1:888888888888:identity/example.org",)),)
    found = [each for each in scene.found("identity", delegates=delegates) if each.status is Status.FAILING]

    assert [each.about.rpartition("/")[2] for each in found] == ["ceo@example.com", "example.org"]
    assert found[1].fix.startswith("ses-relay identity create example.org")


def test_an_identity_in_another_spelling(scene):
    scene.owner().create_email_identity(EmailIdentity="Boss@example.com")
    delegates = (DelegateAtAws(BILLING, identities=("arn:aws:ses:us-east-1:888888888888:identity/boss@example.com",)),)
    wrong = [each for each in scene.found("identity", delegates=delegates) if each.status is Status.FAILING]

    assert wrong[0].what == "it is not there; Boss@example.com is, which is another spelling"


def test_identities_by_name_are_those_of_the_delegates_account(scene):
    own = Delegate("own", "arn:aws:iam::888888888888:user/own")
    mine = DelegateAtAws(own, identities=("example.net",))
    others = DelegateAtAws(BILLING, identities=("example.org",))
    found = [each for each in scene.found("identity", delegates=(mine, others)) if each.status is Status.FAILING]

    assert [each.about.rpartition("/")[2] for each in found] == ["example.net"]


PENDING: dict[str, Any] = {
    "IdentityType": "DOMAIN",
    "VerifiedForSendingStatus": False,
    "VerificationStatus": "PENDING",
    "FeedbackForwardingStatus": True,
    "DkimAttributes": {
        "SigningEnabled": True,
        "Status": "PENDING",
        "Tokens": ["one", "two", "three"],
        "SigningAttributesOrigin": "AWS_SES",
    },
    "MailFromAttributes": {
        "MailFromDomain": "bounce.example.com",
        "MailFromDomainStatus": "PENDING",
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    },
    "Policies": {},
}
REJECTING = {
    **PENDING,
    "MailFromAttributes": {**PENDING["MailFromAttributes"], "BehaviorOnMxFailure": "REJECT_MESSAGE"},
}
UNSIGNED = {**PENDING, "DkimAttributes": {"SigningEnabled": False, "Status": "NOT_STARTED"}}
ADDRESS = {**PENDING, "IdentityType": "EMAIL_ADDRESS", "DkimAttributes": {}, "MailFromAttributes": {}}


@pytest.mark.parametrize(
    ("held", "check", "status", "fix"),
    [
        (PENDING, "identity", "failing", "one._domainkey.example.com. 300 IN CNAME one.dkim.amazonses.com."),
        (PENDING, "identity.dkim", "warning", "three._domainkey.example.com."),
        (PENDING, "identity.mail-from", "warning", "10 feedback-smtp.us-east-1.amazonses.com."),
        (REJECTING, "identity.mail-from", "failing", "v=spf1 include:amazonses.com ~all"),
        (UNSIGNED, "identity.dkim", "warning", "put-email-identity-dkim-attributes"),
        (ADDRESS, "identity", "failing", "Follow the link"),
    ],
)
def test_identities_that_wait(scene, held, check, status, fix):
    """No embedded SES lets an identity wait: the answer is that of the API Reference."""
    scene.answers = {"sesv2.get_email_identity": held}
    found = [each for each in scene.found(check) if each.check == check and each.about == EXAMPLE]

    assert [each.status.value for each in found] == [status]
    assert fix in " ".join(found[0].fix.split())


def test_a_mail_from_that_is_found(scene):
    scene.owner().put_email_identity_mail_from_attributes(EmailIdentity="example.com", MailFromDomain="b.example.com")

    assert [each.what for each in scene.found("identity.mail-from")] == ["b.example.com"]


TOPIC = "arn:aws:sns:us-east-1:888888888888:feedback"


def silenced(scene, *, topics: bool) -> None:
    """SES stops mailing where topics are; the embedded one then forgets nothing, so the answer is bent."""
    v1 = scene.owner("ses")
    for kind in ("Bounce", "Complaint"):
        v1.set_identity_notification_topic(Identity="example.com", NotificationType=kind, SnsTopic=TOPIC)
    v1.set_identity_feedback_forwarding_enabled(Identity="example.com", ForwardingEnabled=False)
    if not topics:
        scene.answers = {"ses.get_identity_notification_attributes": {"NotificationAttributes": {"example.com": {}}}}


def feedback(scene, **changes) -> str:
    found = [each for each in scene.found("feedback", **changes) if each.about == EXAMPLE]
    return f"{found[0].status.value}: {found[0].what}"


def test_feedback_by_topics(scene):
    silenced(scene, topics=True)

    assert feedback(scene) == "ok: bounces and complaints go to SNS topics"


def test_feedback_that_nobody_hears(scene):
    silenced(scene, topics=False)

    assert feedback(scene) == "warning: nobody hears of bounces and complaints"


def test_feedback_by_events_of_a_configuration_set(scene):
    silenced(scene, topics=False)
    relay = scene.owner()
    relay.create_configuration_set(ConfigurationSetName="events")
    relay.create_configuration_set_event_destination(
        ConfigurationSetName="events",
        EventDestinationName="sns",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["BOUNCE", "COMPLAINT"],
            "SnsDestination": {"TopicArn": TOPIC},
        },
    )
    delegates = (DelegateAtAws(BILLING, identities=(EXAMPLE,), configuration_sets=("events",)),)

    assert feedback(scene, delegates=delegates) == "ok: events of configuration sets: events"


def test_records_of_an_embedded_ses_are_nobodys(scene):
    found = scene.found("identity.dns")

    assert {each.status.value for each in found} == {"not-checked"}


def put(scene, name: str, text: str) -> None:
    SesApi(scene.means().owners, "888888888888", "us-east-1").create_policy("example.com", name, text)


def policy(**more: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:user/billing"},
        "Action": ["ses:SendRawEmail", "ses:SendEmail"],
        "Resource": EXAMPLE,
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def in_folder(scene, text: str, name: str = "broken") -> None:
    (scene.setup.policies / "888888888888" / "us-east-1" / "example.com" / f"{name}.json").write_text(text)


OF_POLICIES = ("policies.folder", "policies.readable", "policies.lint", "policies.own-account", "policies.revocation")


def test_a_good_folder(scene):
    found = scene.found(*OF_POLICIES)

    assert [(each.check, each.status.value) for each in found] == [(check, "ok") for check in OF_POLICIES]


def test_a_folder_that_is_not_there(scene, tmp_path):
    found = scene.found(*OF_POLICIES, policies=tmp_path / "nowhere")

    assert failing(found) == ["policies.folder"]
    assert {each.status.value for each in found if each.check == "policies.lint"} == {"not-checked"}


def test_a_folder_with_other_things_and_one_with_nothing(scene, tmp_path):
    (scene.setup.policies / "888888888888" / "us-east-1" / "a file").write_text("")
    assert only(scene.found("policies.folder"), "policies.folder").status == "warning"

    (tmp_path / "empty").mkdir()
    found = scene.found("policies.folder", policies=tmp_path / "empty", owners=())
    assert "holds no identity" in found[0].what


def test_a_policy_of_the_folder_that_cannot_be_judged(scene):
    in_folder(scene, '{"Statement": [')
    found = scene.found("policies.readable", "policies.lint")

    assert failing(found) == ["policies.readable", "policies.lint"]
    assert f"{EXAMPLE}, broken at $: " in only(found, "policies.readable").what
    assert "[not-json]" in only(found, "policies.lint").what


def test_policies_that_lint_warns_of(scene):
    in_folder(scene, policy(Condition={"StringLike": {"ses:FromAddress": "a.*@example.com"}}), "regex")
    found = only(scene.found("policies.lint"), "policies.lint")

    assert (found.status, "regex-habit" in found.what) == ("warning", True)
    assert found.fix.endswith(f"ses-relay policy lint {scene.setup.policies}")


def test_what_is_no_policy_by_its_name_is_not_linted(scene):
    """The embedded SES keeps what it knows of an identity beside its policies, in a hidden file."""
    in_folder(scene, '{"is_verified": true}', ".identity")
    found = scene.found("policies.lint")

    assert only(found, "policies.lint").status == "ok"


def test_many_errors_are_told_in_number(scene):
    for number in range(6):
        in_folder(scene, "{", f"p{number}")
    found = [each for each in scene.found("policies.lint") if each.check == "policies.lint"]

    assert [each.status.value for each in found] == ["failing"] * 4
    assert found[-1].what == "3 more errors"


def test_policies_that_let_all_of_our_account_in(scene):
    in_folder(scene, policy(Principal={"AWS": "888888888888"}), "all")
    neighbour = DelegateAtAws(Delegate("own", "arn:aws:iam::888888888888:user/own"))

    assert only(scene.found("policies.own-account"), "policies.own-account").status == "ok"
    found = only(scene.found("policies.own-account", delegates=(neighbour,)), "policies.own-account")
    assert (found.status, found.what) == (
        "warning",
        f"all/0 of {EXAMPLE} grants account 888888888888, where own live",
    )


def test_policies_at_ses(scene):
    put(scene, "good", policy())
    put(scene, "warned", policy(Condition={"StringLike": {"ses:FromAddress": "a.*@example.com"}}))
    found = scene.found(*OF_POLICIES, "identity", owners=(AT_SES,), policies=None)

    of_example = {each.check: each for each in found if each.about == EXAMPLE}
    assert of_example["policies.readable"].what == "2 policies, none unreadable"
    assert (of_example["policies.lint"].status, of_example["policies.own-account"].status) == ("warning", "ok")
    assert only(found, "policies.revocation").what.startswith("60 s, whichever of the 2 verified")


def test_a_policy_at_ses_that_cannot_be_judged(scene):
    """SES took it long ago; today it would not."""
    broken = {**PENDING, "VerifiedForSendingStatus": True, "Policies": {"old": '{"Statement": {"Effect": "Perhaps"}}'}}
    scene.answers = {"sesv2.get_email_identity": broken}
    found = scene.found("policies.readable", owners=(AT_SES,), policies=None)

    assert {each.status.value for each in found if each.check == "policies.readable"} == {"failing"}


@pytest.mark.parametrize(
    ("identities", "max_stale", "status"), [(30, 3600.0, "warning"), (2, 3600.0, "ok"), (30, 10.0, "warning")]
)
def test_when_withdrawn_permissions_end(scene, identities, max_stale, status):
    listed = [
        {"IdentityName": f"d{number}.example", "IdentityType": "DOMAIN", "SendingEnabled": True}
        for number in range(identities)
    ]
    scene.answers = {
        "sesv2.list_email_identities": {"EmailIdentities": listed},
        "sesv2.get_email_identity": {**PENDING, "VerifiedForSendingStatus": True},
    }
    found = scene.found("policies.revocation", owners=(AT_SES,), policies=None, max_stale=max(max_stale, 60.0))

    assert only(found, "policies.revocation").status == status


def test_policies_that_would_grow_too_old(scene):
    names = [f"d{number}.example" for number in range(60)]
    arns = tuple(f"arn:aws:ses:us-east-1:888888888888:identity/{name}" for name in names)
    listed = [{"IdentityName": name, "IdentityType": "DOMAIN", "SendingEnabled": True} for name in names]
    scene.answers = {"sesv2.list_email_identities": {"EmailIdentities": listed}, "sesv2.get_email_identity": PENDING}
    delegates = (DelegateAtAws(BILLING, identities=arns),)
    found = scene.found("policies.revocation", owners=(AT_SES,), policies=None, max_stale=60.0, delegates=delegates)

    assert only(found, "policies.revocation").status == "failing"


def test_not_every_identity_of_thousands_is_read(scene, told):
    for number in range(25):
        scene.owner().create_email_identity(EmailIdentity=f"d{number}.example")
    told.clear()
    found = scene.found("identity", owners=(AT_SES,), policies=None, delegates=())

    (left,) = (each for each in found if each.status is Status.NOT_CHECKED)
    assert left.what.startswith("7 more that no delegate names")
    assert sum(each.operation == "GetEmailIdentity" for each in told) == 21


READING = {
    "AssumeRole",
    "GetAccount",
    "GetCallerIdentity",
    "GetConfigurationSet",
    "GetConfigurationSetEventDestinations",
    "GetEmailIdentity",
    "GetIdentityNotificationAttributes",
    "GetSendQuota",
    "ListEmailIdentities",
}


def fingerprints(folder: Path) -> dict[str, Any]:
    """Every file and folder with its times, mode and octets."""
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return {str(path): (at.st_mtime_ns, at.st_mode, path.is_file() and path.read_bytes()) for path, at in found}


@pytest.mark.parametrize("owner", [AT_SES, replace(AT_SES, source="directory")])
def test_nothing_is_changed(scene, told, owner):
    """SES is only asked, and no file is made, written or touched."""
    setup = scene.setup
    if owner.source == "ses":
        setup = replace(setup, policies=None)
    setup = replace(setup, owners=(owner,), delegates=(replace(setup.delegates[0], configuration_sets=("feedback",)),))
    silenced(scene, topics=True)
    (scene.home / "spool.db").write_bytes(b"a spool")
    (scene.home / "spool.db.lock").write_bytes(b"")
    before = fingerprints(scene.home)
    told.clear()
    found = examine(setup, scene.means(), Rounds())

    assert fingerprints(scene.home) == before
    assert {each.operation for each in told} <= READING
    assert {"GetEmailIdentity", "GetIdentityNotificationAttributes", "GetConfigurationSet"} <= {
        each.operation for each in told
    }
    assert {each.check for each in found} <= CHECKS.keys()


def test_every_line_that_fails_or_warns_has_a_fix(scene, tmp_path):
    """As sick as can be: nothing of AWS, no folder, no certificate."""
    scene.door.url = "http://127.0.0.1:9"
    found = examine(replace(scene.setup, policies=tmp_path / "nowhere"), scene.means(), Rounds())

    sick = [each for each in found if each.status in {Status.FAILING, Status.WARNING}]
    assert len(sick) >= 2
    assert all(each.fix for each in sick)


def test_checks_are_told_in_the_order_of_the_catalog(scene):
    found = examine(scene.setup, scene.means(), Rounds())

    order = list(CHECKS)
    places = [order.index(each.check) for each in found]
    assert places == sorted(places)
