"""What SES tells is read whatever is around it, strictly, and within bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.feedback.happenings import Happening, read_happening
from relay.feedback.wrappings import LONGEST, Malformed
from relay.localses.events import MEMBERS
from tests.feedback.telling import NOW, by_eventbridge, by_sns, event


@pytest.mark.parametrize("around", [str, by_sns, by_eventbridge, lambda body: by_sns(by_eventbridge(body))])
def test_the_same_is_read_whatever_is_around_it(around):
    """Plain or raw delivery, SNS's envelope, EventBridge's, and one in the other."""
    happening = read_happening(around(event("Bounce", 7, to=["b@example.net", "c@example.net"])))

    assert happening == Happening(
        "bounce",
        "0100-7",
        "billing",
        ("b@example.net", "c@example.net"),
        NOW,
        NOW,
        ("b@example.net", "c@example.net"),
        {"type": "Permanent", "subtype": "General"},
    )


@pytest.mark.parametrize(
    ("kind", "word", "counted"),
    [
        ("Send", "send", 2),
        ("Delivery", "delivery", 2),
        ("Bounce", "bounce", 2),
        ("Complaint", "complaint", 1),
        ("Reject", "reject", 2),
        ("Rendering Failure", "rendering-failure", 2),
        ("DeliveryDelay", "delivery-delay", 2),
        ("Open", "other", 1),
        ("Click", "other", 1),
        ("Subscription", "other", 1),
        ("SomethingNew", "other", 1),
    ],
)
def test_every_kind_has_a_word_and_counts_recipients(kind, word, counted):
    """A complaint counts once: SES names all who may have complained."""
    happening = read_happening(event(kind, to=["b@example.net", "c@example.net"]))

    assert happening is not None
    assert (happening.kind, len(happening.digests())) == (word, counted)


def test_every_kind_that_the_embedded_ses_tells_is_read():
    for kind in MEMBERS:
        assert read_happening(event(kind)) is not None


@pytest.mark.parametrize(
    ("type_", "word"),
    [("Permanent", "bounce"), ("Transient", "transient-bounce"), ("Undetermined", "transient-bounce")],
)
def test_only_permanent_bounces_are_what_ses_counts(type_, word):
    happening = read_happening(event("Bounce", bounceType=type_))

    assert happening is not None
    assert happening.kind == word


def test_a_notification_of_an_identity_is_read_without_tags():
    told = json.loads(event("Bounce"))
    told["notificationType"] = told.pop("eventType")
    del told["mail"]["tags"]

    happening = read_happening(json.dumps(told))

    assert happening is not None
    assert (happening.kind, happening.delegate) == ("bounce", None)


def test_digests_tell_messages_kinds_and_recipients_apart_and_nothing_else():
    bodies = [
        event("Bounce", 1),
        event("Bounce", 2),
        event("Delivery", 1),
        event("Bounce", 1, to=["c@example.net"]),
    ]
    digests = [happening.digests() for body in bodies if (happening := read_happening(body))]

    assert len(set(digests)) == len(bodies)
    again = read_happening(by_sns(event("Bounce", 1, at=NOW + 60)))
    assert again is not None
    assert again.digests() == digests[0]
    assert all(len(digest) == 16 for each in digests for digest in each)


@pytest.mark.parametrize(
    "body",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        by_sns("Successfully validated SNS topic for Amazon SES event publishing."),
        by_sns(json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have ..."})),
    ],
)
def test_what_ses_sends_to_try_a_topic_is_no_event(body):
    assert read_happening(body) is None


def changed(path: str, value: Any) -> str:
    """A bounce with another value at a path such as ``mail.tags``; a missing one for ``...``."""
    told = json.loads(event("Bounce"))
    *above, last = path.split(".")
    here = told
    for name in above:
        here = here[name]
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return json.dumps(told)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ("{", "no JSON"),
        ('{"a": NaN}', "NaN and Infinity are no JSON"),
        ('{"a": 1, "a": 2}', "a key is there twice"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "no JSON"),
        ("{}", "neither eventType nor notificationType"),
        (by_sns("no"), "no JSON"),
        (by_sns(by_sns(by_sns(event("Send")))), "wrapped too often"),
        ('{"detail-type": "x"}', "an event of EventBridge without detail"),
        (" " * LONGEST + "{}", "longer than SQS carries"),
        (changed("eventType", 7), "neither eventType nor notificationType"),
        (changed("eventType", ""), "neither eventType nor notificationType"),
        (changed("mail", ...), "mail is no object"),
        (changed("mail.messageId", ...), "messageId is no text of up to 256 characters"),
        (changed("mail.messageId", "a\nb"), "messageId is no text of up to 256 characters"),
        (changed("mail.messageId", "a" * 257), "messageId is no text of up to 256 characters"),
        (changed("mail.timestamp", "yesterday"), "timestamp is no time"),
        (changed("mail.timestamp", "2026-01-01T00:00:00"), "timestamp is no time with its zone"),
        (changed("bounce.timestamp", "0001-01-01T00:00:00+14:00"), "timestamp is no time"),
        (changed("bounce.timestamp", "9999-12-31T23:59:59-14:00"), "timestamp is no time"),
        (changed("mail.tags", ["x"]), "mail.tags is no table of lists"),
        (changed("mail.tags", {"ses-relay-delegate": [7]}), "mail.tags is no table of lists"),
        (changed("bounce", ...), "bounce is no object"),
        (changed("bounce.bounceType", 7), "bounceType is no text of up to 64 characters"),
        (changed("bounce.timestamp", 7), "timestamp is no text of up to 40 characters"),
        (changed("bounce.bouncedRecipients", ["b@example.net"]), "bouncedRecipients is no list of objects"),
        (changed("bounce.bouncedRecipients", []), "bouncedRecipients is no list of 1 to 50 recipients"),
        (changed("bounce.bouncedRecipients", [{}]), "bouncedRecipients has a recipient that is no address"),
        (
            changed("bounce.bouncedRecipients", [{"emailAddress": "b@example.net"}] * 51),
            "bouncedRecipients is no list of 1 to 50 recipients",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_no_event_is_told_without_quoting_it(body, why):
    with pytest.raises(Malformed) as caught:
        read_happening(body)
    assert str(caught.value) == why


def test_a_tag_with_two_values_names_nobody():
    """The relay gives one; whoever gave another does not choose who is blamed."""
    happening = read_happening(changed("mail.tags", {"ses-relay-delegate": ["billing", "news"]}))

    assert happening is not None
    assert happening.delegate is None


texts = st.text(max_size=8) | st.sampled_from(["Bounce", "Send", "2027-01-15T08:00:00Z", "Notification", "b@c.de"])
NAMES = """eventType notificationType mail bounce send complaint delivery timestamp messageId destination tags
ses-relay-delegate bouncedRecipients emailAddress recipients Type Message detail detail-type feedbackId bounceType
reject failure"""
names = st.sampled_from(NAMES.split())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(names, values, max_size=6), st.sampled_from(["Bounce", "Complaint", "Send", "Delivery", "Open"]))
def test_whatever_json_comes_is_an_event_or_malformed(more, kind):
    """Nothing else is raised, and what is read has digests."""
    for body in (json.dumps(more), json.dumps({**json.loads(event(kind)), **more})):
        for around in (str, by_sns, by_eventbridge):
            try:
                happening = read_happening(around(body))
            except Malformed:
                continue
            assert happening is None or all(len(digest) == 16 for digest in happening.digests())


@given(st.integers(0, 400), st.binary(max_size=3))
def test_an_event_that_was_cut_or_overwritten_is_an_event_or_malformed(place, octets):
    body = event("Complaint").encode()
    for changed_body in (body[:place], body[:place] + octets + body[place + len(octets) :]):
        try:
            happening = read_happening(changed_body.decode("utf-8", "replace"))
        except Malformed:
            continue
        assert happening is not None
        assert happening.marks
