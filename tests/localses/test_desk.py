"""``/_local``: what arrived, and faults on demand."""

import http.client
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.localses.running import MESSAGE, bent, parameters

SEND = {"Source": "a@example.com", "Destinations": ["b@example.net"], "RawMessage": {"Data": MESSAGE}}


def test_messages_are_listed_in_order_and_forgotten(door):
    assert door.messages == []
    ids = [door.client().send_raw_email(**SEND)["MessageId"] for _ in range(3)]

    assert [message["id"] for message in door.messages] == ids
    assert door.local("DELETE", "messages") == (200, {})
    assert door.messages == []


def test_faults_come_in_order_each_as_often_as_asked(door):
    """Two throttles, one outage, then all is well; what is left can be seen, and a refused call keeps nothing."""
    faults = [
        {"code": "Throttling", "times": 2},
        {"code": "ServiceUnavailable"},
    ]
    assert door.local("PUT", "faults", {"SendRawEmail": faults}) == (200, {})
    client = door.client()

    heard = []
    for _ in range(3):
        with pytest.raises(ClientError) as raised:
            client.send_raw_email(**SEND)
        error, status = raised.value.response["Error"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]
        heard.append((status, error["Code"], error["Message"]))
        if len(heard) == 1:
            (throttle, _) = door.local("GET", "faults")[1]["SendRawEmail"]
            assert throttle["times"] == 1

    throttled = (400, "Throttling", "Maximum sending rate exceeded.")
    assert heard == [throttled, throttled, (503, "ServiceUnavailable", "This fault was asked for.")]
    assert door.messages == []
    assert client.send_raw_email(**SEND)["MessageId"]


def test_a_status_of_ones_own_is_kept(door):
    door.local("PUT", "faults", {"GetSendQuota": [{"code": "AccessDenied", "message": "No <b>&", "status": 418}]})

    with pytest.raises(ClientError) as raised:
        door.client().get_send_quota()

    answer = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 418
    assert answer["Error"] == {"Type": "Sender", "Code": "AccessDenied", "Message": "No <b>&"}


@pytest.mark.parametrize(("drop", "kept"), [("before", 0), ("after", 1)])
def test_a_connection_is_cut_before_or_after_the_work(door, drop, kept):
    """The client learns nothing either way; whether the message was taken is the whole difference."""
    door.local("PUT", "faults", {"SendRawEmail": [{"drop": drop}]})

    with pytest.raises(ConnectionClosedError):
        door.client().send_raw_email(**SEND)

    assert len(door.messages) == kept
    assert door.client().send_raw_email(**SEND)["MessageId"]


def test_a_slow_call_keeps_nobody_waiting(door):
    """While one call is delayed another is answered, and the slow one has done nothing yet."""
    door.local("PUT", "faults", {"SendRawEmail": [{"delay": "10m"}]})
    body = urlencode(parameters({})).encode()
    slow = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    slow.request("POST", "/", body, door.signed("POST", "/", body, {}))
    while door.local("GET", "faults")[1].get("SendRawEmail"):
        pass

    sent = door.client().send_raw_email(**SEND)

    assert [message["id"] for message in door.messages] == [sent["MessageId"]]
    slow.close()


def test_a_client_that_gives_up_changes_nothing(door):
    """SES has the request: it goes on after the client hung up, as a relay that timed out must expect."""
    door.local("PUT", "faults", {"SendRawEmail": [{"delay": "50ms"}]})
    body = urlencode(parameters({})).encode()
    hasty = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    hasty.request("POST", "/", body, door.signed("POST", "/", body, {}))
    while door.local("GET", "faults")[1].get("SendRawEmail"):
        pass
    hasty.close()

    while not (kept := door.messages):
        pass

    assert [message["source"] for message in kept] == ["ann@example.com"]


def test_a_request_that_is_not_signed_spends_no_fault(door):
    door.local("PUT", "faults", {"SendRawEmail": [{"code": "Throttling"}]})

    bent(door, {"secret": "wrong"})

    assert door.local("GET", "faults")[1]["SendRawEmail"][0]["times"] == 1


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], 'Give an object of lists: {"SendRawEmail": [{"code": "Throttling", "times": 2}]}.'),
        (
            {"SendMail": []},
            "SendMail is not served here; faults are for operations that are, such as SendRawEmail.",
        ),
        ({"SendRawEmail": {}}, "SendRawEmail wants a list of faults."),
        ({"SendRawEmail": ["Throttling"]}, "SendRawEmail[0] is no object."),
        (
            {"SendRawEmail": [{}, {"codes": "x"}]},
            "SendRawEmail[1]: codes is unknown; a fault has code, message, status, times, delay, drop.",
        ),
        ({"SendRawEmail": [{"code": "a b"}]}, "SendRawEmail[0].code is an error code such as Throttling."),
        ({"SendRawEmail": [{"message": 5}]}, "SendRawEmail[0].message is a text."),
        ({"SendRawEmail": [{"status": 200}]}, "SendRawEmail[0].status is a whole number from 400 to 599."),
        ({"SendRawEmail": [{"status": "400"}]}, "SendRawEmail[0].status is a whole number from 400 to 599."),
        ({"SendRawEmail": [{"times": 0}]}, "SendRawEmail[0].times is a whole number from 1 to 1000000."),
        ({"SendRawEmail": [{"times": True}]}, "SendRawEmail[0].times is a whole number from 1 to 1000000."),
        (
            {"SendRawEmail": [{"delay": "soon"}]},
            "SendRawEmail[0].delay is a time of at most 10 minutes, such as 250ms, 2s or 1m.",
        ),
        (
            {"SendRawEmail": [{"delay": "11m"}]},
            "SendRawEmail[0].delay is a time of at most 10 minutes, such as 250ms, 2s or 1m.",
        ),
        ({"SendRawEmail": [{"drop": "now"}]}, "SendRawEmail[0].drop is before or after."),
    ],
)
def test_a_fault_nobody_can_follow_changes_nothing(door, document, says):
    """One sentence says what is wrong, and the faults that were there stay."""
    door.local("PUT", "faults", {"SendRawEmail": [{"code": "Throttling", "drop": None}]})

    assert door.local("PUT", "faults", document) == (400, {"message": says})
    assert len(door.local("GET", "faults")[1]["SendRawEmail"]) == 1


def test_faults_are_cleared(door):
    door.local("PUT", "faults", {"SendRawEmail": [{"code": "Throttling"}]})

    assert door.local("DELETE", "faults") == (200, {})
    assert door.local("GET", "faults") == (200, {})
    assert door.ask("PUT", "/_local/faults", b"{not json")[0] == 400


def test_elsewhere_is_a_plain_404(door):
    status, answer = door.local("GET", "message")

    assert status == 404
    assert "/_local/messages" in answer["message"]


def test_a_browser_finds_out_what_this_is(door):
    status, _, body = door.ask("GET", "/")

    assert status == 200
    assert b"/_local/messages" in body


def test_a_connection_is_used_again(door):
    """Keep-alive holds through refusals: a client's pool is not drained by errors."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    for _ in range(3):
        connection.request("POST", "/", b"Action=GetSendQuota", {"Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        response.read()
        assert response.status == 403
        assert connection.sock is not None
    connection.close()
