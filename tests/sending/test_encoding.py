import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import QuerySerializer, RestJSONSerializer
from hypothesis import given
from hypothesis import strategies as st

from relay.sending.encoding import PATHS, RAW_OCTETS_OF_PIECE, body, pieces
from relay.sending.outcomes import Mail
from relay.words.apis import Api

MODEL = ServiceModel(Loader().load_service_model("ses", "service-2")).operation_model("SendRawEmail")
MODEL_V2 = ServiceModel(Loader().load_service_model("sesv2", "service-2")).operation_model("SendEmail")
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
MAILS = st.builds(
    Mail,
    source=TEXT,
    destinations=st.lists(TEXT, min_size=1, max_size=5).map(tuple),
    source_arn=TEXT,
    from_arn=TEXT,
    return_path_arn=TEXT,
    raw=st.binary(max_size=300),
    configuration_set=st.none() | TEXT,
    tags=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


def by_botocore(mail: Mail) -> bytes:
    parameters: dict[str, object] = {
        "Source": mail.source,
        "Destinations": list(mail.destinations),
        "FromArn": mail.from_arn,
        "SourceArn": mail.source_arn,
        "ReturnPathArn": mail.return_path_arn,
    }
    if mail.tags:
        parameters["Tags"] = [{"Name": name, "Value": value} for name, value in mail.tags]
    if mail.configuration_set is not None:
        parameters["ConfigurationSetName"] = mail.configuration_set
    parameters["RawMessage"] = {"Data": mail.raw}
    return urlencode(QuerySerializer().serialize_to_request(parameters, MODEL)["body"]).encode()


def by_botocore_v2(mail: Mail) -> bytes:
    parameters: dict[str, object] = {
        "FromEmailAddressIdentityArn": mail.from_arn,
        "Destination": {"ToAddresses": list(mail.destinations)},
        "FeedbackForwardingEmailAddress": mail.source,
        "FeedbackForwardingEmailAddressIdentityArn": mail.return_path_arn,
    }
    if mail.tags:
        parameters["EmailTags"] = [{"Name": name, "Value": value} for name, value in mail.tags]
    if mail.configuration_set is not None:
        parameters["ConfigurationSetName"] = mail.configuration_set
    parameters["Content"] = {"Raw": {"Data": mail.raw}}
    request = RestJSONSerializer().serialize_to_request(parameters, MODEL_V2)
    assert (request["method"], request["url_path"]) == ("POST", PATHS[Api.V2])
    return bytes(request["body"])


@given(MAILS)
def test_the_body_is_botocores_byte_for_byte(mail):
    assert body(mail) == by_botocore(mail)
    assert body(replace(mail, api=Api.V2)) == by_botocore_v2(mail)


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, RAW_OCTETS_OF_PIECE - 1, RAW_OCTETS_OF_PIECE, RAW_OCTETS_OF_PIECE + 1, 400_001]
)
def test_a_message_of_several_pieces_is_the_same_message(size):
    raw = (bytes(range(256)) * (size // 256 + 1))[:size]
    mail = Mail("a@b.example", ("c@d.example",), "arn:s", "arn:f", "arn:r", raw)

    large = replace(mail, api=Api.V2)

    assert b"".join(pieces(mail)) == by_botocore(mail)
    assert b"".join(pieces(large)) == by_botocore_v2(mail)
    assert len(list(pieces(mail))) == len(list(pieces(large))) == max(1, -(-size // RAW_OCTETS_OF_PIECE))


@pytest.mark.parametrize(
    "head", [0, 1, 2, 500, RAW_OCTETS_OF_PIECE - 1, RAW_OCTETS_OF_PIECE, 2 * RAW_OCTETS_OF_PIECE + 1]
)
@pytest.mark.parametrize("rest", [0, 1, 1000, RAW_OCTETS_OF_PIECE, 3 * RAW_OCTETS_OF_PIECE + 2])
def test_a_head_apart_makes_no_difference(head, rest):
    raw = (bytes(range(256)) * ((head + rest) // 256 + 1))[: head + rest]
    for api in Api:
        whole = Mail("a@b.example", ("c@d.example",), "arn:s", "arn:f", "arn:r", raw, api=api)
        apart = replace(whole, head=raw[:head], raw=memoryview(raw)[head:])
        assert body(apart) == body(whole)


def test_the_three_arns_are_always_said():
    mail = Mail("a@b.example", ("c@d.example", "e+f@g.example"), "arn:s", "arn:f", "arn:r", b"m", "set", (("k", "v"),))

    assert dict(parse_qsl(body(mail).decode(), strict_parsing=True)) == {
        "Action": "SendRawEmail",
        "Version": "2010-12-01",
        "Source": "a@b.example",
        "Destinations.member.1": "c@d.example",
        "Destinations.member.2": "e+f@g.example",
        "FromArn": "arn:f",
        "SourceArn": "arn:s",
        "ReturnPathArn": "arn:r",
        "Tags.member.1.Name": "k",
        "Tags.member.1.Value": "v",
        "ConfigurationSetName": "set",
        "RawMessage.Data": "bQ==",
    }


def test_v2_is_told_both_identities_and_leaves_the_from_field_alone():
    """With FromEmailAddress SES would write it over the author."""
    mail = Mail("a@b.example", ("c@d.example",), "arn:r", "arn:f", "arn:r", b"m", "set", (("k", "v"),), api=Api.V2)

    assert json.loads(body(mail)) == {
        "FromEmailAddressIdentityArn": "arn:f",
        "Destination": {"ToAddresses": ["c@d.example"]},
        "FeedbackForwardingEmailAddress": "a@b.example",
        "FeedbackForwardingEmailAddressIdentityArn": "arn:r",
        "EmailTags": [{"Name": "k", "Value": "v"}],
        "ConfigurationSetName": "set",
        "Content": {"Raw": {"Data": "bQ=="}},
    }
