"""
Where an identity's bounces, complaints and deliveries are told: topics of SNS, and mail to the feedback address.

SES tells it by API v1 only (SES API Reference, "GetIdentityNotificationAttributes").
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from relay.identities.ses_api import SesApi
from relay.words.values import dataclass

#: Types of notifications, in the words of v1.
KINDS: Final = ("Bounce", "Complaint", "Delivery")
#: Those of which somebody must hear: by mail, or by a topic.
FEEDBACK: Final = ("Bounce", "Complaint")


@dataclass(frozen=True, slots=True)
class Notifications:
    """
    How an identity's notifications are set.

    ``topics``: ARNs by type, without those that have none. ``forwards``: bounces and complaints are mailed.
    ``with_headers``: the types whose notifications carry the message's header fields.
    """

    topics: Mapping[str, str] = field(default_factory=dict)
    forwards: bool = True
    with_headers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to change; None, and a type that is not there, stays. An empty topic takes it away."""

    topics: Mapping[str, str] = field(default_factory=dict)
    forwards: bool | None = None
    headers: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One call of v1; ``text`` says what it does."""

    text: str
    operation: str
    parameters: Mapping[str, Any]


class ForwardingProblem(ValueError):
    """Nobody would hear of bounces or complaints. ``str()`` says what to give."""


def read_notifications(api: SesApi, name: str) -> Notifications:
    """
    Read how the identity's notifications are set; as SES sets them first where it tells nothing.

    Raises:
        AwsProblem: SES did not answer, or said no.

    """
    answer = api.call("ses.get_identity_notification_attributes", Identities=[name])
    told: Mapping[str, Any] = next(iter((answer.get("NotificationAttributes") or {}).values()), {})
    return Notifications(
        {kind: str(told[f"{kind}Topic"]) for kind in KINDS if told.get(f"{kind}Topic")},
        bool(told.get("ForwardingEnabled", True)),
        frozenset(kind for kind in KINDS if told.get(f"HeadersIn{kind}NotificationsEnabled")),
    )


def wished(found: Notifications, wanted: Wanted) -> Notifications:
    """
    Return *found* as it is to be.

    Raises:
        ForwardingProblem: No mail, and no topic for bounces and complaints: SES refuses that as well.

    """
    topics = {kind: topic for kind, topic in {**found.topics, **wanted.topics}.items() if topic}
    forwards = found.forwards if wanted.forwards is None else wanted.forwards
    headers = {None: found.with_headers, True: frozenset(KINDS), False: frozenset[str]()}[wanted.headers]
    silent = [kind for kind in FEEDBACK if kind not in topics]
    if not forwards and silent:
        lacking = " and ".join(map(_these, silent))
        raise ForwardingProblem(f"without forwarding nobody would hear of {lacking}: set a topic for them first")
    return Notifications(topics, forwards, headers)


def steps(name: str, found: Notifications, wanted: Notifications) -> tuple[Step, ...]:
    """Return the calls from *found* to *wanted*, in an order in which somebody hears of feedback after each."""
    return (
        *_forwarding(name, found, wanted, to=True),
        *_topics(name, found, wanted),
        *_headers(name, found, wanted),
        *_forwarding(name, found, wanted, to=False),
    )


def _forwarding(name: str, found: Notifications, wanted: Notifications, *, to: bool) -> Iterator[Step]:
    if found.forwards != wanted.forwards and wanted.forwards is to:
        text = f"forwarding of bounces and complaints by mail: {'on' if to else 'off'}"
        asked = {"Identity": name, "ForwardingEnabled": to}
        yield Step(text, "ses.set_identity_feedback_forwarding_enabled", asked)


def _topics(name: str, found: Notifications, wanted: Notifications) -> Iterator[Step]:
    for kind in KINDS:
        before, after = found.topics.get(kind, ""), wanted.topics.get(kind, "")
        if before != after:
            text = f"topic for {_these(kind)}: {before or 'none'} -> {after or 'none'}"
            asked = {"Identity": name, "NotificationType": kind} | ({"SnsTopic": after} if after else {})
            yield Step(text, "ses.set_identity_notification_topic", asked)


def _headers(name: str, found: Notifications, wanted: Notifications) -> Iterator[Step]:
    for kind in KINDS:
        if (kind in found.with_headers) != (kind in wanted.with_headers):
            to = kind in wanted.with_headers
            text = f"header fields in notifications of {_these(kind)}: {'on' if to else 'off'}"
            asked = {"Identity": name, "NotificationType": kind, "Enabled": to}
            yield Step(text, "ses.set_identity_headers_in_notifications_enabled", asked)


def _these(kind: str) -> str:
    return {"Bounce": "bounces", "Complaint": "complaints", "Delivery": "deliveries"}[kind]
