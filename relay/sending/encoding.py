"""
A message as a request, in pieces: nothing large is copied twice or encoded in one breath.

SendRawEmail goes by the AWS Query protocol, in the same bytes that botocore's ``QuerySerializer`` and ``urlencode``
give, at a tenth of their price: of base64's alphabet only ``+ / =`` need escaping (RFC 3986 section 2.3). SendEmail
goes as JSON, where nothing of it needs to (SES API Reference, "SendRawEmail"; SES API v2 Reference, "SendEmail").
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

from pybase64 import b64encode

from relay.sending.outcomes import Mail
from relay.words.apis import Api

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
JSON: Final = "application/json"
#: Where each call goes, below the endpoint, and as what.
PATHS: Final = {Api.RAW: "", Api.V2: "/v2/email/outbound-emails"}
CONTENT_TYPES: Final = {Api.RAW: FORM, Api.V2: JSON}

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.@-]*", re.ASCII)

#: Octets of the message in one piece: a multiple of three, so that base64 pads only at the end. Encoding and hashing
#: one holds the event loop for some 0.1 ms.
RAW_OCTETS_OF_PIECE: Final = 48 * 1024


def body(mail: Mail) -> bytes:
    """Return the whole request body."""
    return b"".join(pieces(mail))


class Pieces:
    """The pieces of a request body, made anew at each walk over them."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def __iter__(self) -> Iterator[bytes]:
        return pieces(self._mail)


def pieces(mail: Mail) -> Iterator[bytes]:
    """Yield the request body in order; a message of up to :data:`RAW_OCTETS_OF_PIECE` makes one piece."""
    is_form = mail.api is Api.RAW
    before, after = (_parameters(mail) + b"&RawMessage.Data=", b"") if is_form else _around(mail)
    encode: Callable[[bytes | memoryview], bytes] = _escaped if is_form else b64encode
    head, raw = mail.head, mail.raw
    octets = len(head) + len(raw)
    if octets <= RAW_OCTETS_OF_PIECE:
        yield before + encode(b"".join((head, raw))) + after
        return
    raw = memoryview(raw)
    start = max(RAW_OCTETS_OF_PIECE - len(head), -len(head) % 3)
    end = start + max(0, len(raw) - start - 1) // RAW_OCTETS_OF_PIECE * RAW_OCTETS_OF_PIECE
    yield before + encode(b"".join((head, raw[:start])))
    for at in range(start, end, RAW_OCTETS_OF_PIECE):
        yield encode(raw[at : at + RAW_OCTETS_OF_PIECE])
    yield encode(raw[end:]) + after


def _escaped(raw: bytes | memoryview) -> bytes:
    return b64encode(raw).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")


@lru_cache(maxsize=1024)
def _quoted_arn(arn: str) -> str:
    """There are few, and each comes with every message."""
    return quote_plus(arn)


def _quoted_address(address: str) -> str:
    """Most have one character to escape."""
    return address.replace("@", "%40") if _PLAIN.fullmatch(address) else quote_plus(address)


def _parameters(mail: Mail) -> bytes:
    fields = ["Action=SendRawEmail&Version=2010-12-01", f"Source={_quoted_address(mail.source)}"]
    fields += [f"Destinations.member.{n}={_quoted_address(to)}" for n, to in enumerate(mail.destinations, 1)]
    fields.append(f"FromArn={_quoted_arn(mail.from_arn)}")
    fields.append(f"SourceArn={_quoted_arn(mail.source_arn)}")
    fields.append(f"ReturnPathArn={_quoted_arn(mail.return_path_arn)}")
    for n, (name, value) in enumerate(mail.tags, 1):
        fields.append(f"Tags.member.{n}.Name={quote_plus(name)}&Tags.member.{n}.Value={quote_plus(value)}")
    if mail.configuration_set is not None:
        fields.append(f"ConfigurationSetName={quote_plus(mail.configuration_set)}")
    return "&".join(fields).encode("ascii")


def _around(mail: Mail) -> tuple[bytes, bytes]:
    """
    Return what stands before and behind the message in SendEmail's JSON.

    Without FromEmailAddress: it would take the place of the From field.
    """
    said: dict[str, Any] = {
        "FromEmailAddressIdentityArn": mail.from_arn,
        "Destination": {"ToAddresses": mail.destinations},
        "FeedbackForwardingEmailAddress": mail.source,
        "FeedbackForwardingEmailAddressIdentityArn": mail.return_path_arn,
    }
    if mail.tags:
        said["EmailTags"] = [{"Name": name, "Value": value} for name, value in mail.tags]
    if mail.configuration_set is not None:
        said["ConfigurationSetName"] = mail.configuration_set
    if mail.tenant is not None:
        said["TenantName"] = mail.tenant
    said["Content"] = {"Raw": {"Data": ""}}
    text = json.dumps(said).encode("ascii")
    return text[:-4], text[-4:]
