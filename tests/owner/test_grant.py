"""A grant says in IAM's words what was said in plain ones, and is written where nothing is lost."""

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay.owner.grant import Grant, hand_over, policy_of, read_until, remarks
from relay.owner.statements import Pattern, PatternProblem, compare, fits, read_pattern, text_of
from relay.owner.writing import PolicyExists, write_policy
from relay.policy.document import Policy, parse_policy
from relay.words.arns import parse_identity_arn
from tests.owner.week import DOMAIN

IDENTITY = parse_identity_arn(DOMAIN)
BILLING = "arn:aws:iam::111111111111:user/billing"


def wild(text: str) -> Pattern:
    return Pattern(text, is_wild=True)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("ann@example.com", Pattern("ann@example.com")),
        ("Ann@Example.com", Pattern("Ann@Example.com")),
        ("invoices*@example.com", wild("invoices*@example.com")),
        ("a?b@example.com", wild("a?b@example.com")),
        ("*@*.example.com", wild("*@*.example.com")),
        ("example.com", wild("*@example.com")),
        ("@example.com", wild("*@example.com")),
        ("*", wild("*")),
    ],
)
def test_plain_words_are_addresses_patterns_or_domains(text, pattern):
    assert read_pattern(text) == pattern


@pytest.mark.parametrize(
    "text", ["", "ann", "ann@", "a b@example.com", "Ann <ann@example.com>", "ann@example..com", "ä@b.example"]
)
def test_what_no_address_could_match_is_refused(text):
    with pytest.raises(PatternProblem, match="no address"):
        read_pattern(text)


def test_a_condition_is_exact_until_a_pattern_is_in_it():
    """Then what is no wildcard is spelt so that it is none; and a dollar begins no variable."""
    exact = [Pattern("b@x.example"), Pattern("a*?@x.example"), Pattern("${z}@x.example")]

    assert compare("k", exact) == {"StringEquals": {"k": ["${$}{z}@x.example", "a*?@x.example", "b@x.example"]}}
    assert compare("k", [*exact, wild("c*")]) == {
        "StringLike": {"k": ["${$}{z}@x.example", "a${*}${?}@x.example", "b@x.example", "c*"]}
    }


def test_a_whole_grant():
    grant = Grant(
        IDENTITY,
        BILLING,
        authors=[Pattern("billing@example.com"), wild("invoices*@example.com")],
        feedback=[wild("*@example.com")],
        recipients=[wild("*@example.net")],
        names=[Pattern("Billing")],
        until=datetime(2027, 2, 1, tzinfo=UTC),
        sid="Billing",
    )

    policy = policy_of(grant)

    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Billing",
                "Effect": "Allow",
                "Principal": {"AWS": BILLING},
                "Action": "ses:SendRawEmail",
                "Resource": DOMAIN,
                "Condition": {
                    "StringLike": {
                        "ses:FromAddress": ["billing@example.com", "invoices*@example.com"],
                        "ses:FeedbackAddress": "*@example.com",
                    },
                    "StringEquals": {"ses:FromDisplayName": "Billing"},
                    "ForAllValues:StringLike": {"ses:Recipients": "*@example.net"},
                    "Null": {"ses:Recipients": "false"},
                    "DateLessThan": {"aws:CurrentTime": "2027-02-01T00:00:00Z"},
                },
            }
        ],
    }
    assert isinstance(parse_policy("p", text_of(policy)), Policy)
    assert remarks(grant) == ["ends at 2027-02-01T00:00:00Z"]
    assert hand_over(IDENTITY) == f"X-SES-SOURCE-ARN: {DOMAIN}"


def test_an_asterisk_restricts_nothing():
    grant = Grant(IDENTITY, BILLING, authors=[wild("*")], feedback=[wild("*")], recipients=[wild("*")])

    assert "Condition" not in policy_of(grant)["Statement"][0]


@pytest.mark.parametrize(
    ("grant", "remark"),
    [
        (Grant(IDENTITY, BILLING, authors=[Pattern("a@example.com")]), "any feedback address"),
        (Grant(IDENTITY, BILLING, feedback=[Pattern("a@other.example")]), "a@other.example is not of example.com"),
        (Grant(IDENTITY, "111111111111", authors=[Pattern("a@example.com")]), "whole account"),
        (Grant(IDENTITY, "arn:aws:iam::111111111111:root", authors=[Pattern("a@example.com")]), "whole account"),
    ],
)
def test_what_may_not_be_meant_is_remarked(grant, remark):
    assert any(remark in line for line in remarks(grant))


@pytest.mark.parametrize(
    "text", ["a@example.com", "a@mail.example.com", "a@Example.COM", "a@*", "*", "*@*.example.com"]
)
def test_what_may_be_of_the_identity_is_not_remarked(text):
    pattern = Pattern(text, is_wild="*" in text)
    grant = Grant(IDENTITY, BILLING, authors=[pattern], feedback=[Pattern("b@example.com")])

    assert remarks(grant) == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", "2027-02-01T00:00:00+00:00"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00+00:00"),
        ("2027-01-31T12:00:00", "2027-01-31T12:00:00+00:00"),
        ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00+00:00"),
    ],
)
def test_a_day_is_granted_to_its_end(text, moment):
    assert read_until(text).astimezone(UTC).isoformat() == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "31.01.2027", "2027-13-01"])
def test_no_date(text):
    with pytest.raises(ValueError, match=r"isoformat|month|Invalid"):
        read_until(text)


def test_a_policy_is_laid_out_while_it_fits_so():
    small = {"Version": "2012-10-17", "Statement": []}
    large = {"Statement": [{"Sid": f"S{n:04}"} for n in range(200)]}
    too_large = {"Statement": [{"Sid": f"S{n:04}"} for n in range(400)]}

    assert text_of(small) == json.dumps(small, indent=2) + "\n"
    assert text_of(large) == json.dumps(large, separators=(",", ":")) + "\n"
    assert [fits(each) for each in (small, large, too_large)] == [True, True, False]


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_policy_is_written_into_the_layout(tmp_path):
    path = write_policy(tmp_path, IDENTITY, "billing", "{}\n")

    assert path == tmp_path / "888888888888" / "us-east-1" / "example.com" / "billing.json"
    assert path.read_text() == "{}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["billing.json"]


def test_a_policy_is_never_written_over_another(tmp_path):
    path = write_policy(tmp_path, IDENTITY, "billing", "old")

    with pytest.raises(PolicyExists, match=r"billing\.json"):
        write_policy(tmp_path, IDENTITY, "billing", "new")
    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == ["billing.json"]


def test_whoever_reads_meanwhile_sees_all_or_nothing(tmp_path, monkeypatch):
    """Before the link there is no policy; after it the text is on disk."""
    real, before = os.link, []

    def link(source: str, target: Path) -> None:
        before.append((target.exists(), Path(source).read_text(), Path(source).name.startswith(".")))
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    write_policy(tmp_path, IDENTITY, "billing", "{}\n")

    assert before == [(False, "{}\n", True)]


def test_of_many_writers_one_writes(tmp_path):
    refused: list[str] = []

    def write(text: str) -> None:
        try:
            write_policy(tmp_path, IDENTITY, "billing", text)
        except PolicyExists:
            refused.append(text)

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    written = (tmp_path / "888888888888" / "us-east-1" / "example.com" / "billing.json").read_text()
    assert sorted([written, *refused]) == [str(n) for n in range(8)]
