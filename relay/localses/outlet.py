"""
How records of events leave: SendMessage of SQS, Publish of SNS, PutEvents of EventBridge, each a signed request.

Any server that speaks these will do: one of those that stand in for AWS on laptops, or AWS itself.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp

from relay.localses.keys import Key
from relay.localses.owners import Owner
from relay.localses.sigv4 import signed_headers
from relay.localses.wire import Wire
from relay.words.values import dataclass

PATIENCE: Final = 5.0
"""Seconds for one request."""

PAUSES: Final = (0.2, 1.0)
"""Seconds before it is tried again, as long as the server is in trouble."""

_JSON: Final = "application/x-amz-json-1.0"
_EVENTS_JSON: Final = "application/x-amz-json-1.1"
_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}", re.ASCII)
_DETAIL_TYPES: Final = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
}
"""SES Developer Guide, "Schema reference for SES events in EventBridge"."""


class Nowhere(Exception):
    """An event did not get where it should. ``str()`` says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event goes: ``kind`` is ``sqs``, ``sns`` or ``events``, ``name`` the URL of a queue or an ARN."""

    kind: str
    name: str
    owner: Owner


def place_of(destination: Mapping[str, Any], owner: Owner) -> Place:
    """
    Return where an ``EventDestinationDefinition`` of the *owner* sends.

    Raises:
        Nowhere: To a service that is not spoken here.
    """
    if "SnsDestination" in destination:
        return Place("sns", destination["SnsDestination"]["TopicArn"], owner)
    if "EventBridgeDestination" in destination:
        return Place("events", destination["EventBridgeDestination"]["EventBusArn"], owner)
    raise Nowhere("only topics of SNS and buses of EventBridge are spoken to")


def queue_at(url: str, region: str) -> Place:
    """
    Return the queue of a *url*; its region is that of the host's name if it has one, else *region*.

    Raises:
        ValueError: It is no URL of HTTP.
    """
    host = _host(url)
    labels = [label for label in host.split(".") if _REGION.fullmatch(label)]
    return Place("sqs", url, Owner("000000000000", labels[0] if labels else region))


class Outlet:
    """
    The ways out.

    Args:
        key: Who signs.
        queue: Every event goes to this one, in the shape of event publishing.
        endpoint: Where SNS and EventBridge are spoken; None: topics and buses are not reached.
    """

    def __init__(self, key: Key, *, queue: Place | None = None, endpoint: str | None = None) -> None:
        if endpoint is not None:
            _host(endpoint)
        self.queue = queue
        self._key = key
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None

    def reaches(self, place: Place) -> bool:
        """Whether there is a way to *place*."""
        return place.kind == "sqs" or self._endpoint is not None

    async def put(self, place: Place, record: Mapping[str, Any]) -> None:
        """
        Put a record there; trouble of the server is waited out for a moment.

        Raises:
            Nowhere: It was refused, or the trouble lasts.
        """
        for pause in (*PAUSES, None):
            try:
                return await self._put(place, record)
            except (aiohttp.ClientError, TimeoutError) as trouble:
                if pause is None:
                    raise Nowhere(type(trouble).__name__) from None
                await asyncio.sleep(pause)
        return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _put(self, place: Place, record: Mapping[str, Any]) -> None:
        url, body, headers = _request(place, self._endpoint or place.name, json.dumps(record), record)
        parts = urlsplit(url)
        headers |= {"host": parts.netloc}
        wire = Wire("POST", parts.path or "/", "", tuple(headers.items()), body)
        headers = signed_headers(wire, self._key, place.owner.region, place.kind, datetime.now(UTC))
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            said = await answer.text()
            if answer.status >= 500:
                raise aiohttp.ClientPayloadError(f"status {answer.status}")
            if answer.status != 200 or '"FailedEntryCount":1' in said.replace(" ", ""):
                raise Nowhere(f"refused with status {answer.status}")


def _request(place: Place, endpoint: str, text: str, record: Mapping[str, Any]) -> tuple[str, bytes, dict[str, str]]:
    """URL, body and headers of the request that puts *text* into *place*."""
    if place.kind == "sqs":
        body = json.dumps({"QueueUrl": place.name, "MessageBody": text})
        root = urlsplit(place.name)._replace(path="/", query="", fragment="").geturl()
        return root, body.encode(), {"content-type": _JSON, "x-amz-target": "AmazonSQS.SendMessage"}
    if place.kind == "sns":
        subject = "Amazon SES Email Event Notification"
        asked = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": place.name, "Subject": subject}
        return endpoint, urlencode({**asked, "Message": text}).encode(), {"content-type": _FORM}
    kind = record.get("eventType", "")
    entry = {
        "Source": "aws.ses",
        "DetailType": _DETAIL_TYPES.get(kind, kind),
        "Resources": _resources(place.owner, record),
        "Detail": text,
        "EventBusName": place.name,
    }
    headers = {"content-type": _EVENTS_JSON, "x-amz-target": "AWSEvents.PutEvents"}
    return endpoint, json.dumps({"Entries": [entry]}).encode(), headers


def _resources(owner: Owner, record: Mapping[str, Any]) -> list[str]:
    names = record["mail"].get("tags", {}).get("ses:configuration-set", ())
    return [f"arn:{owner.partition}:ses:{owner.region}:{owner.account}:configuration-set/{name}" for name in names]


def _host(url: str) -> str:
    """The host of a URL of HTTP without a user."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in {"http", "https"} and parts.username is None else None
    except ValueError:
        host = None
    if host is None or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no URL, such as http://127.0.0.1:5000/123456789012/events")
    return host
