from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from hashlib import sha256
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from relay.sending import endpoints
from relay.sending.encoding import FORM, JSON
from relay.sending.keys import AccessKey, FixedKey
from relay.sending.signer import MOST_SEALS, TOLERATED_SKEW, Signer
from relay.sending.signing import Seal, Target

WEST = timezone(timedelta(hours=-7))
SECRETS = st.text(st.characters(codec="ascii", exclude_categories=("Cc", "Zs")), min_size=1, max_size=60)
URLS = st.sampled_from(
    [
        "https://email.us-east-1.amazonaws.com",
        "https://email.eu-west-1.amazonaws.com:8443/",
        "http://127.0.0.1:8579",
        "http://[::1]:8579/ses/v1",
        "http://localhost:80/a-b_c.d~e",
        "https://sink.example:443/x/",
    ]
)


def by_botocore(key: AccessKey, target: Target, body: bytes, at: datetime, content_type: str) -> dict[str, str]:
    request = AWSRequest("POST", target.url, headers={"Content-Type": content_type}, data=body)
    request.context["timestamp"] = None
    with patch("botocore.auth.get_current_datetime", lambda: at.astimezone(UTC)):
        SigV4Auth(Credentials(key.id, key.secret, key.token), target.service, target.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def fields_of(written: str) -> dict[str, str]:
    lines = written.split("\r\n")
    assert lines.pop() == ""
    return dict(line.split(": ", 1) for line in lines)


@given(
    url=URLS,
    key_id=SECRETS,
    secret=SECRETS,
    token=st.none() | SECRETS,
    body=st.binary(max_size=50),
    at=st.builds(datetime.fromtimestamp, st.integers(0, 4_000_000_000), st.sampled_from([UTC, WEST])),
    service=st.sampled_from([endpoints.SES, endpoints.STS]),
    call=st.sampled_from([("", FORM), ("/v2/email/outbound-emails", JSON)]),
)
def test_headers_are_botocores_byte_for_byte(url, key_id, secret, token, body, at, service, call):
    """With and without a session token, at any time, for any endpoint, either API."""
    path, content_type = call
    key, target = AccessKey(key_id, secret, token), endpoints.target(service, "eu-west-1", url).below(path)

    ours = fields_of(Seal(key, target, content_type, at).fields(sha256(body).hexdigest()))

    assert {**by_botocore(key, target, body, at, content_type), "host": target.host} == ours


def test_the_key_changes_with_day_region_service_and_secret():
    def signature(
        secret: str = "s", region: str = "us-east-1", service: tuple[str, str] = endpoints.SES, day: int = 1
    ) -> str:
        target = endpoints.target(service, region, "http://127.0.0.1:1")
        return Seal(AccessKey("id", secret), target, FORM, datetime(2026, 1, day, tzinfo=UTC)).fields("0" * 64)

    different = [
        signature(),
        signature(secret="t"),
        signature(region="us-east-2"),
        signature(service=endpoints.STS),
        signature(day=2),
    ]
    assert len(set(different)) == 5
    assert signature() == different[0]


@given(
    moments=st.lists(
        st.tuples(st.integers(0, 3_000_000), st.integers(0, 1), st.sampled_from([FORM, JSON]), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_a_signer_signs_each_request_as_if_it_were_the_only_one(moments):
    """Whatever second it is, whosever key, and if AWS's clock was heard of; time may go backwards."""
    noon, now = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC), datetime.now(UTC)
    target = endpoints.target(endpoints.SES, "us-east-1", None)
    keys = [AccessKey("AKIAEXAMPLE", secret) for secret in "st"]
    signer = Signer(lambda: now, lambda _: None)
    skew = timedelta(0)
    for microseconds, which, content_type, is_behind in moments:
        now = noon + timedelta(microseconds=microseconds)
        if is_behind:
            theirs = (noon + timedelta(hours=1)).replace(microsecond=0)
            skew = theirs - now if abs(theirs - now - skew) > TOLERATED_SKEW else skew
            signer.learn("RequestExpired", format_datetime(theirs, usegmt=True), keys[0], FixedKey(keys[0]))
        signed = signer.sign(keys[which], target, "0" * 64, content_type)

        assert signed == Seal(keys[which], target, content_type, now + skew).fields("0" * 64)


def test_seals_are_forgotten_before_they_are_too_many():
    signer = Signer(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda _: None)
    target = endpoints.target(endpoints.SES, "us-east-1", None)
    for n in range(3 * MOST_SEALS):
        signer.sign(AccessKey("AKIAEXAMPLE", f"s{n}"), target, "0" * 64)

    assert 0 < len(signer._seals) <= MOST_SEALS


def test_no_secret_shows():
    key = AccessKey("AKIAEXAMPLE", "canary-secret", "canary-token")

    assert "canary" not in repr(key) + str(key) + f"{key!r}"


def email_regions() -> Iterator[tuple[str, str]]:
    for partition in Loader().load_data("endpoints")["partitions"]:
        for region, endpoint in partition["services"].get("email", {}).get("endpoints", {}).items():
            if not endpoint.get("deprecated"):
                yield region, f"https://email.{region}.{partition['dnsSuffix']}/"


@pytest.mark.parametrize(("region", "url"), list(email_regions()))
def test_every_region_of_ses_has_the_endpoint_that_botocore_knows(region, url):
    assert endpoints.target(endpoints.SES, region, None).url == url


@pytest.mark.parametrize("region", ["", "*", "us-east-1.evil.example", "US-EAST-1", "us-east-1/", "a@b", "us--east"])
def test_a_region_is_no_place_for_a_host_name(region):
    with pytest.raises(ValueError, match="no AWS region"):
        endpoints.target(endpoints.SES, region, None)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "x", "http://h/?q=1", "http://h/a b", "http://h/%41"])
def test_an_endpoint_is_scheme_host_port_and_plain_path(url):
    with pytest.raises(ValueError, match="endpoint"):
        endpoints.target(endpoints.SES, "us-east-1", url)
