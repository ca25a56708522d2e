"""What AWS is asked, by the relay's own credentials: who we are, how SES stands to us, what IAM lets us do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from relay.identities.accounts import Refused
from relay.localses.keys import Key
from relay.owner.doctor.setup import DelegateAtAws
from relay.words.delegates import Delegate
from relay.words.roles import AssumedRole, session_of
from tests.owner.doctor.scene import BILLING, EXAMPLE, MAILER, RELAY, ROOT, failing, only

IN_BOTH = ("us-east-1", "eu-west-1")


def statement_in(fix: str) -> Any:
    """The JSON in a fix, which is there to be pasted."""
    return json.loads(fix[fix.index("{") : fix.rindex("}") + 1])


def test_whose_credentials_they_are_and_the_clock(scene):
    found = scene.found("credentials", "clock")

    assert only(found, "credentials").what.startswith(f"{RELAY.principal}, found in ")
    assert only(found, "clock").what == "within 1 s"


def test_root_may_do_too_much(scene):
    scene.key = ROOT

    assert scene.found("credentials")[0].status == "warning"


def test_credentials_that_aws_does_not_take(scene):
    scene.key = Key(RELAY.id, "another-secret", RELAY.principal)
    found = scene.found("region")

    assert failing(found) == ["credentials"]
    assert "another's" in found[0].fix
    assert only(found, "region").what == "it needs credentials, which fails"
    assert "another-secret" not in str(found)


def test_no_credentials(scene, monkeypatch):
    monkeypatch.setattr(type(scene.means().own), "origin", lambda _self: None)
    found = scene.found("credentials", "clock")

    assert (failing(found), only(found, "clock").status) == (["credentials"], "not-checked")
    assert "AWS_PROFILE" in found[0].fix


def test_nobody_answers(scene):
    scene.door.url = "http://127.0.0.1:9"
    (found,) = scene.found("credentials")

    assert "EndpointConnectionError" in found.what
    assert "endpoint" in found.fix


@pytest.mark.parametrize(("seconds", "status"), [(30, "ok"), (-90, "warning"), (200, "warning")])
def test_a_clock_that_is_wrong(scene, clock, seconds, status):
    clock.seconds = seconds

    assert only(scene.found("clock"), "clock").status == status


def test_a_clock_by_which_aws_refuses(scene, clock):
    """SES's is an hour ahead: the signature is too old, which alone would look like a wrong secret."""
    clock.seconds = 3600
    found = scene.found("credentials", "clock")

    assert only(found, "clock").what.endswith(" s behind AWS")
    assert failing(found) == ["credentials", "clock"]
    assert only(found, "credentials").fix.startswith("Set the clock first")


@pytest.mark.parametrize("date", ["", "noon", "Sat, 99999999999999999999 Nov 2026 12:00:00 GMT"])
def test_a_time_that_is_none(scene, date):
    """A proxy between us and AWS may write anything there: the other findings are still told."""
    scene.answers = {"sts.get_caller_identity": Refused("sts get_caller_identity", "InvalidClientTokenId", "no", date)}
    found = scene.found("credentials", "clock")

    assert only(found, "clock").status == "not-checked"
    assert failing(found) == ["credentials"]


def test_a_region_and_its_account(scene):
    found = scene.found("region", "sandbox", "sending", "quota")

    assert [each.status for each in found] == ["ok"] * 4
    assert only(found, "region").what.startswith("SES answers within ")
    assert only(found, "quota").what == "0 of 1,000,000 recipients in 24 hours; 1000 a second"


def test_no_region(scene):
    (found,) = scene.found("region", region=None, owners=())

    assert (found.status, found.check) == ("warning", "region")


def test_every_region_is_looked_at(scene):
    owner = scene.setup.owners[0]
    owners = (type(owner)(owner.account, IN_BOTH, None, None, "directory"),)

    assert [each.about for each in scene.found("region", owners=owners)] == sorted(IN_BOTH)


def test_a_region_that_does_not_serve_us(scene):
    scene.answers = {"ses.get_send_quota": Refused("ses get_send_quota", "OptInRequired", "not in this region")}
    found = scene.found("region", "quota")

    assert only(found, "region").what.startswith("SES answers within")
    assert only(found, "quota").status == "not-checked"

    scene.answers["sesv2.get_account"] = scene.answers["ses.get_send_quota"]
    assert failing(scene.found("region", "quota")) == ["region"]


def test_a_region_that_does_not_answer(scene):
    scene.door.local("PUT", "faults", {"GetSendQuota": [{"drop": "before", "times": 9}]})
    found = scene.found("region", "sandbox", "sending", "quota")

    assert failing(found) == ["region"]
    assert {each.status for each in found} == {"failing", "not-checked"}


def test_what_is_not_permitted_to_ask_is_not_checked(scene):
    scene.door.local(
        "PUT",
        "faults",
        {
            "GetAccount": [{"code": "AccessDeniedException", "status": 403}],
            "GetSendQuota": [{"code": "AccessDenied", "status": 403}],
        },
    )
    found = scene.found("region", "sandbox", "sending", "quota")

    statuses = {each.check: each.status.value for each in found}
    assert only(found, "region").what == "SES answers, and lets us ask nothing"
    assert statuses["sandbox"] == statuses["sending"] == "not-checked"
    assert statuses["quota"] == "warning"
    assert statement_in(only(found, "quota").fix) == {
        "Effect": "Allow",
        "Action": ["ses:GetAccount", "ses:GetSendQuota"],
        "Resource": "*",
    }


ACCOUNT = {"ProductionAccessEnabled": True, "SendingEnabled": True, "EnforcementStatus": "HEALTHY"}


@pytest.mark.parametrize(
    ("check", "account", "status"),
    [
        ("sandbox", {"ProductionAccessEnabled": False}, "warning"),
        ("sending", {"SendingEnabled": False}, "failing"),
        ("sending", {"EnforcementStatus": "SHUTDOWN"}, "failing"),
        ("sending", {"EnforcementStatus": "PROBATION"}, "warning"),
    ],
)
def test_how_ses_stands_to_an_account(scene, check, account, status):
    """AWS's own answer, as its API Reference has it."""
    scene.answers = {"sesv2.get_account": {**ACCOUNT, **account}}
    (found,) = scene.found(check)

    assert found.status == status
    assert found.fix


@pytest.mark.parametrize(
    ("standing", "check", "status"),
    [({"sandbox": True}, "sandbox", "warning"), ({"paused": True}, "sending", "failing")],
)
def test_an_embedded_account_that_may_not_send_to_all(scene, standing, check, status):
    scene.door.local("PUT", "accounts", {"888888888888": standing})

    assert only(scene.found(check), check).status == status


@pytest.mark.parametrize(
    ("sent", "most", "status"), [(10, 100, "ok"), (80, 100, "warning"), (100, 100, "failing"), (9, -1, "ok")]
)
def test_quotas(scene, sent, most, status):
    quota = {"SentLast24Hours": float(sent), "Max24HourSend": float(most), "MaxSendRate": 14.0}
    scene.answers = {"ses.get_send_quota": quota}

    assert only(scene.found("quota"), "quota").status == status


def test_an_embedded_ses_has_no_iam(scene):
    assert only(scene.found("permission"), "permission").status == "not-checked"


class Iam(BaseHTTPRequestHandler):
    """IAM as far as SimulatePrincipalPolicy, on the wire: boto3 finds it by AWS_ENDPOINT_URL_IAM."""

    decision = "allowed"
    missing = ""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = "PolicySourceArn=arn%3Aaws%3Aiam%3A%3A888888888888%3Auser%2Frelay" in asked
        missing = (
            f"<MissingContextValues><member>{self.missing}</member></MissingContextValues>" if self.missing else ""
        )
        inner = (
            "<SimulatePrincipalPolicyResult><EvaluationResults><member><EvalActionName>ses:SendRawEmail</EvalActionName>"
            f"<EvalResourceName>{EXAMPLE}</EvalResourceName><EvalDecision>{self.decision}</EvalDecision>{missing}"
            "</member></EvaluationResults></SimulatePrincipalPolicyResult>"
        )
        denied = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>"
        is_good = wanted and self.decision != "refused"
        name = "SimulatePrincipalPolicyResponse" if is_good else "ErrorResponse"
        body = f'<{name} xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{inner if is_good else denied}</{name}>'
        self.send_response(200 if is_good else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("decision", "missing", "status"),
    [
        ("allowed", "", "ok"),
        ("implicitDeny", "", "failing"),
        ("explicitDeny", "", "failing"),
        ("implicitDeny", "ses:FromAddress", "warning"),
        ("refused", "", "not-checked"),
    ],
)
def test_what_iam_says(scene, monkeypatch, decision, missing, status):
    answering = type("Answering", (Iam,), {"decision": decision, "missing": missing})
    httpd = HTTPServer(("127.0.0.1", 0), answering)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", f"http://127.0.0.1:{httpd.server_address[1]}")
    monkeypatch.setattr(type(scene.setup), "asks_aws_itself", True)
    try:
        found = only(scene.found("permission"), "permission")
    finally:
        httpd.shutdown()
        httpd.server_close()

    assert found.status == status, found
    if status != "ok":
        assert statement_in(found.fix)["Action"] == ["ses:SendEmail", "ses:SendRawEmail"]
        assert statement_in(found.fix)["Resource"] == EXAMPLE


def with_role(arn: str, external_id: str | None = None) -> DelegateAtAws:
    role = AssumedRole(arn, session_of("billing"), external_id)
    return DelegateAtAws(Delegate("billing", role.principal, role=role), role, configuration_sets=("feedback",))


def test_a_delegates_role_is_assumed(scene):
    (found,) = scene.found("delegate.role", delegates=(with_role(MAILER.arn),))

    assert (found.status, found.what) == ("ok", f"{MAILER.arn} as ses-relay-billing")


def test_a_role_that_cannot_be_assumed_says_both_sides(scene):
    missing = "arn:aws:iam::111111111111:role/missing"
    (found,) = scene.found("delegate.role", delegates=(with_role(missing, "a-secret-word"),))

    assert found.status == "failing"
    assert "a-secret-word" not in str(found)
    trust, ours = found.fix.split("Add to an IAM policy of ")
    assert statement_in(trust)["Statement"][0] == {
        "Effect": "Allow",
        "Principal": {"AWS": RELAY.principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "the external_id of delegate billing"}},
    }
    assert statement_in(ours) == {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": missing}


def test_the_account_of_a_role_is_the_one_that_counts(scene):
    """Its sandbox and quota, asked as the role: those of the relay's account say nothing of its mail."""
    scene.door.local("PUT", "accounts", {"111111111111": {"sandbox": True}})
    delegates = (with_role(MAILER.arn), DelegateAtAws(Delegate("other", "222222222222")))
    found = scene.found("sandbox", "quota", delegates=delegates)

    assert [(each.check, each.about, each.status.value) for each in found] == [
        ("sandbox", "us-east-1", "ok"),
        ("sandbox", "us-east-1 as billing", "warning"),
        ("quota", "us-east-1", "ok"),
        ("quota", "us-east-1 as billing", "ok"),
    ]


def test_sts_that_does_not_answer_is_no_matter_of_trust(scene):
    scene.door.local("PUT", "faults", {"AssumeRole": [{"code": "ServiceUnavailable", "times": 9}]})
    (found,) = scene.found("delegate.role", delegates=(with_role(MAILER.arn),))

    assert (found.status, "STS does not answer" in found.fix) == ("failing", True)


NAMING = DelegateAtAws(BILLING, configuration_sets=("feedback",))


def test_configuration_sets_that_are_there(scene):
    relay = scene.door.client("sesv2", RELAY.id, RELAY.secret)
    relay.create_configuration_set(ConfigurationSetName="feedback")

    (found,) = scene.found("configuration-set", delegates=(NAMING,))
    assert (found.status, found.what) == ("ok", "in us-east-1, 0 event destinations")


def test_configuration_sets_that_are_not_there(scene):
    (found,) = scene.found("configuration-set", delegates=(NAMING,))

    assert (found.status, found.about) == ("failing", "feedback")
    assert found.fix == "aws sesv2 create-configuration-set --configuration-set-name feedback --region us-east-1"
    assert "billing would use it" in found.what


def test_configuration_sets_that_may_not_be_looked_at(scene):
    scene.door.local("PUT", "faults", {"GetConfigurationSet": [{"code": "AccessDeniedException", "status": 403}]})
    (found,) = scene.found("configuration-set", delegates=(NAMING,))

    assert found.status == "not-checked"
    assert statement_in(found.fix)["Resource"] == "arn:aws:ses:us-east-1:888888888888:configuration-set/feedback"


def test_configuration_sets_of_a_role_are_its_accounts(scene):
    (found,) = scene.found("configuration-set", delegates=(with_role(MAILER.arn),))

    assert (found.status, found.about) == ("not-checked", "feedback")
