"""Whatever comes over the wire is read or refused: no input is a surprise."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.localses.addresses import addresses_in, one_address
from relay.localses.message import check_message, read_fields
from relay.localses.query import read_parameters
from relay.localses.refusals import Refused
from relay.localses.sigv4 import trusting_caller, verified_caller
from relay.localses.wire import Wire
from tests.localses.running import OWNER


def outcome(call: Callable[[Any], Any], argument: Any) -> Any:
    """What the call returns, or the code it refuses with."""
    try:
        return call(argument)
    except Refused as refused:
        return refused.code


TEXT = st.text(st.sampled_from('ab@.,;:<>()"\\ \t\r\nä\x00'), max_size=40) | st.text(max_size=40)


@given(TEXT)
def test_any_text_is_an_address_or_refused(text):
    one, many = outcome(one_address, text), outcome(addresses_in, text)

    assert one == "InvalidParameterValue" or "@" in one
    assert many == "InvalidParameterValue" or all("@" in address for address in many)


@given(st.lists(st.sampled_from([b"From", b":", b" ", b"\r", b"\n", b"\r\n", b"a@b.c", b"\xff", b"Subject: x"])))
def test_any_octets_are_a_message_or_refused(pieces):
    """No field that is read holds a line end."""
    raw = b"".join(pieces)

    fields = outcome(check_message, raw)

    assert fields == "InvalidParameterValue" or fields == read_fields(raw)
    assert not any("\n" in field.value or "\r" in field.value for field in read_fields(raw))


@given(st.binary(max_size=60), st.text(max_size=40))
def test_any_body_is_parameters_or_refused(body, query):
    wire = Wire("POST", "/", query, (("content-type", "application/x-www-form-urlencoded"),), body)

    parameters = outcome(read_parameters, wire)

    assert parameters == "MalformedQueryString" or all(isinstance(value, str) for value in parameters.values())


LATIN = st.text(st.characters(max_codepoint=255), max_size=80)
HEADER = LATIN | st.builds("AWS4-HMAC-SHA256 Credential={}, SignedHeaders={}, Signature={}".format, LATIN, LATIN, LATIN)


@given(HEADER, LATIN | st.just("20261120T120000Z"), LATIN)
def test_any_signature_is_refused_and_surprises_nobody(authorization, stamp, path):
    """Whatever is sent without knowing the secret is refused with a code of the signature, never another exception."""
    headers = (("authorization", authorization), ("x-amz-date", stamp), ("host", "h"))
    wire = Wire("POST", path, path, headers, b"")

    with pytest.raises(Refused) as refused:
        verified_caller(wire, {OWNER.id: OWNER}, "ses", datetime(2026, 11, 20, 12, tzinfo=UTC))

    assert refused.value.status in {400, 403}
    assert trusting_caller(wire, {}).key.account == "000000000000"
