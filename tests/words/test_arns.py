"""ARNs of SES identities: by form, by kind, and the addresses that they cover."""

import pytest

from relay.words.addresses import parse_address
from relay.words.arns import ArnProblem, IdentityArn, check_arn_text, parse_identity_arn

DOMAIN = "arn:aws:ses:us-east-1:111122223333:identity/example.com"


@pytest.mark.parametrize(
    "text",
    [
        DOMAIN,
        "arn:aws-us-gov:ses:us-gov-west-1:111122223333:identity/ceo@Example.com",
        "arn:aws:ses:us-east-1:111122223333:identity/o'brien+x@example.com",
        "arn:aws:ses:*:111122223333:identity/example.com",
    ],
)
def test_arn_keeps_its_spelling(text: str):
    assert str(parse_identity_arn(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "arn:aws:ses:us-east-1:111122223333",
        "arn:aws:ses:us-east-1:identity/example.com",
        f'"{DOMAIN}"',
        f"{DOMAIN} ",
        f"{DOMAIN},{DOMAIN}",
        f"{DOMAIN}\x00",
        f"{DOMAIN}é",
        f"<{DOMAIN}>",
        DOMAIN + "a" * 346,
    ],
)
def test_no_arn_by_form(text: str):
    with pytest.raises(ArnProblem):
        check_arn_text(text)


def test_longest_arn():
    check_arn_text(DOMAIN + "a" * (400 - len(DOMAIN)))


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:ses:us-east-1:111122223333:configuration-set/x",
        "arn:aws:ses:us-east-1:111122223333:identity/",
        "arn:aws:ses:us-east-1:111122223333:identity",
        "arn:aws:sns:us-east-1:111122223333:identity/example.com",
        "arn:gcp:ses:us-east-1:111122223333:identity/example.com",
        "ARN:AWS:SES:US-EAST-1:111122223333:IDENTITY/EXAMPLE.COM",
    ],
)
def test_well_formed_but_no_identity(text: str):
    """By form an ARN, but none of an SES identity: the judge refuses it, not the reader."""
    check_arn_text(text)

    with pytest.raises(ArnProblem, match="SES identity"):
        parse_identity_arn(text)


@pytest.mark.parametrize(
    ("name", "address", "covered"),
    [
        ("example.com", "a@example.com", True),
        ("example.com", "a@EXAMPLE.com", True),
        ("Example.Com", "a@sub.example.com", True),
        ("example.com", "a@notexample.com", False),
        ("sub.example.com", "a@example.com", False),
        ("com", "a@example.com", True),
        ("ceo@example.com", "ceo@example.com", True),
        ("ceo@example.com", "ceo@EXAMPLE.com", True),
        ("ceo@example.com", "ceo+label@example.com", True),
        ("ceo@example.com", "CEO@example.com", False),
        ("ceo@example.com", "ceo@sub.example.com", False),
        ("ceo@example.com", "ceo2@example.com", False),
        ("ceo+a@example.com", "ceo@example.com", False),
        ("ceo+a@example.com", "ceo+a@example.com", True),
    ],
)
def test_cover(name: str, address: str, covered: bool):
    arn = IdentityArn("aws", "us-east-1", "111122223333", name)

    assert arn.covers(parse_address(address)) == covered
    assert arn.is_address == ("@" in name)
