"""What the journal is not to keep is in no field and no sentence of it; and what is judged by stays as it is."""

import json
from typing import Any

import pytest

from relay.observe.record_texts import RecordTexts
from relay.observe.redaction import MARK, RedactedTexts, redact
from relay.owner.observed import HashedAddresses, Observed, RedactedRecord
from relay.owner.records import read_observed
from tests.observe.givens import VALIDATOR, ended


def record(**changes: Any) -> dict[str, Any]:
    return {**ended().record, **changes}


SAID = {"code": 554, "status": "5.7.1", "text": "Access denied: ann@example.net is not for Billing Dept"}


def test_what_is_left_out_is_nowhere():
    told = redact(
        record(recipients=["ann@example.net"], display_name="Billing Dept", client="203.0.113.7", reply=SAID),
        ("recipients", "display_name", "client"),
    )

    assert (told["recipients"], told["display_name"], told["client"]) == ([], "", "")
    assert told["reply"]["text"] == f"Access denied: {MARK} is not for {MARK}"
    assert "ann@example.net" not in json.dumps(told)
    assert "Billing Dept" not in json.dumps(told)
    VALIDATOR.validate(told)


def test_a_name_that_is_also_a_word_of_ours_changes_no_field():
    """A display name may be the delegate's own name, or a word of the record."""
    whole = record(display_name="billing", display_name_raw="accepted")
    told = redact(whole, ("display_name",))

    assert {name for name in whole if told[name] != whole[name]} == {"display_name", "display_name_raw"}


@pytest.mark.parametrize("part", ["recipients", "display_name"])
def test_what_policies_ask_for_cannot_be_judged_again(part):
    with pytest.raises(RedactedRecord, match="without recipients or display names"):
        read_observed(redact(record(), (part,)))
    assert issubclass(RedactedRecord, HashedAddresses)


def test_what_policies_do_not_ask_for_hinders_nobody():
    assert isinstance(read_observed(redact(record(), ("client",))), Observed)


def test_the_text_is_that_of_the_record_and_made_once():
    texts = RedactedTexts(RecordTexts(), ("client",))
    whole = record()

    assert json.loads(texts.text(whole)) == {**whole, "client": "", "redacted": ["client"]}
    assert texts.text(whole) is texts.text(whole)
    assert texts.told(whole)["id"] == whole["id"]
