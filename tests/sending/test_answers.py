import json
import re
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from botocore import parsers
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sending.answers import LONGEST_TEXT, disagreement, outcome_of
from relay.sending.documents import LONGEST_DOCUMENT, read_fields
from relay.sending.outcomes import Ambiguous, Deferred, Failure, Refused, Sent

from .listeners import error, success

CASES = json.loads((Path(__file__).parent.parent / "cases" / "ses_answers.json").read_text())
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs", "Cn")), min_size=1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case):
    """Every error of the table ends as the table says: type, reply, reason, and whether SES contradicted us."""
    outcome = outcome_of(case["status"], error(case["code"], escape(case["message"])), own=case.get("own", True))

    assert type(outcome).__name__ == case["outcome"]
    assert isinstance(outcome, Failure)
    assert str(outcome.reply) == case["reply"]
    assert outcome.reason == case["reason"]
    assert outcome.code == case["code"]
    assert disagreement(outcome) == case.get("disagreement")


@settings(max_examples=500)
@given(
    st.text("a0-&;<. \f\n", max_size=4) | st.sampled_from(["0100-1", "x" * 256, "x" * 257]),
    st.text(" \t\r\n\f\v\0", max_size=2),
    st.integers(0, 400),
    st.binary(max_size=2),
)
def test_what_ses_took_is_told_at_a_glance_as_by_reading_xml(name, blank, at, put):
    """Whatever stands in the id or between elements, and wherever something is put in or taken out."""
    whole = success(name).replace(b"><", b">" + blank.encode() + b"<")
    for document in (whole, whole[:at] + put + whole[at:], whole[:at] + put + whole[at + 1 :]):
        found = (read_fields(document) or {}).get("SendRawEmailResult/MessageId", "")
        outcome = outcome_of(200, document)
        assert outcome == outcome_of(201, document)  # which is always read as XML
        assert outcome == Sent(found) if isinstance(outcome, Sent) else not re.fullmatch("[!-~]{1,256}", found)


def test_a_message_id_makes_it_sent():
    assert outcome_of(200, success("0100abc-1-000000")) == Sent("0100abc-1-000000")
    assert disagreement(Sent("x")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>OK</body></html>",
        b"not xml at all",
        success()[:-20],
        success("two words"),
        success("x" * 257),
        b"<a>" * 5000,
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<SendRawEmailResponse><SendRawEmailResult/></SendRawEmailResponse>",
        b" " * (LONGEST_DOCUMENT + 1) + success(),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_success_that_cannot_be_read_is_ambiguous_and_a_failure_is_temporary(body):
    """With 2xx SES most likely has the message; with anything else it does not, and nothing is final."""
    assert isinstance(outcome_of(200, body), Ambiguous)
    for status in (301, 400, 403, 404, 408, 413, 429, 500, 503):
        outcome = outcome_of(status, body)
        assert isinstance(outcome, Deferred)
        assert str(outcome.reply) == "451 4.3.0 SES is not available, try again later"


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_heard_nothing_does_not_know_whether_ses_has_the_message(status):
    assert isinstance(outcome_of(status, b"<html>Bad gateway</html>"), Ambiguous)
    assert isinstance(outcome_of(status, error("InternalFailure", "x")), Deferred)


BOMBS = {
    "billion laughs": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]>',
    "bare document type": b"<!DOCTYPE html>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_no_document_type_is_ever_read(bomb):
    """Entities are refused before they are declared, whatever follows them."""
    assert read_fields(bomb + success()) is None
    assert isinstance(outcome_of(200, bomb + success()), Ambiguous)
    assert isinstance(outcome_of(400, bomb + error("MessageRejected", "&a;")), Deferred)


def test_the_first_of_a_repeated_element_counts_and_depth_is_bounded():
    assert read_fields(b"<r><E><C>1</C></E><E><C>2</C></E></r>") == {"E/C": "1"}
    assert read_fields(b"<a>" * 9 + b"</a>" * 9) is None


@given(st.integers(100, 599), st.binary(max_size=400))
def test_no_answer_raises_and_none_but_a_message_id_is_sent(status, body):
    outcome = outcome_of(status, body)

    assert not isinstance(outcome, Sent | Refused)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), max_size=2000))
def test_whatever_ses_says_the_reply_is_one_short_line_of_ascii(text):
    outcome = outcome_of(400, error("InvalidParameterValue", escape(text)))

    assert isinstance(outcome, Refused)
    assert str(outcome.reply).isascii()
    assert str(outcome.reply).isprintable()
    assert len(str(outcome.reply)) <= LONGEST_TEXT + 40
    assert len(outcome.message) <= LONGEST_TEXT


MODEL = ServiceModel(Loader().load_service_model("ses", "service-2")).operation_model("SendRawEmail")


@given(TEXT, st.sampled_from(["MessageRejected", "Throttling", "Odd"]))
def test_errors_read_as_botocore_reads_them(text, code):
    document = error(code, escape(text))
    theirs = parsers.QueryParser().parse({"status_code": 400, "headers": {}, "body": document}, MODEL.output_shape)[
        "Error"
    ]

    fields = read_fields(document)
    assert fields is not None
    assert fields["Error/Code"] == theirs["Code"]
    assert fields["Error/Message"] == theirs["Message"].strip()


def test_a_message_id_reads_as_botocore_reads_it():
    document = success()
    theirs = parsers.QueryParser().parse({"status_code": 200, "headers": {}, "body": document}, MODEL.output_shape)

    assert outcome_of(200, document) == Sent(theirs["MessageId"])
