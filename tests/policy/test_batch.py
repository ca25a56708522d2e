"""``explain --batch``: a line in, an answer out, whatever the line."""

import io
import json

import pytest

from relay.cli import batch as runner
from relay.policy.batch import answer
from tests.policy.asking import ALICE, IDENTITY, statement

CASE = {
    "id": "c1",
    "policy": {"Statement": statement(Sid="Everyone")},
    "principal": ALICE,
    "action": "ses:SendRawEmail",
    "resource": IDENTITY,
    "context": {},
}


def test_an_answer_has_the_keys_of_the_contract():
    """
    id, decision, because, grant, trace, problems: in this shape.
    """
    told = answer(json.dumps(CASE))

    assert told == {
        "id": "c1",
        "decision": "Allow",
        "because": [{"policy": "policy", "sid": "Everyone", "index": 0}],
        "grant": "direct",
        "trace": [
            {
                "policy": "policy",
                "sid": "Everyone",
                "index": 0,
                "effect": "Allow",
                "applies": "yes",
                "mismatch": None,
                "unknown": [],
                "grant": "direct",
            }
        ],
        "problems": [],
    }


def test_several_policies_by_name():
    """
    All are asked together, and answer by their names; one that cannot be read does not silence a Deny.
    """
    policies = {"a": {"Statement": statement()}, "b": {"Statement": statement("Deny", Sid="No")}, "c": {}}
    case = {key: value for key, value in CASE.items() if key != "policy"}

    told = answer(json.dumps(case | {"policies": policies}))
    assert told["decision"] == "ExplicitDeny"
    assert told["because"] == [{"policy": "b", "sid": "No", "index": 0}]
    assert {problem["policy"] for problem in told["problems"]} == {"c"}
    told = answer(json.dumps(case | {"policies": {"a": policies["a"], "c": {}}}))
    assert (told["decision"], told["grant"], told["because"]) == ("Undecided", None, [])
    assert answer(json.dumps(case | {"policies": {}}))["decision"] == "ImplicitDeny"


def test_the_context_is_complete():
    """
    A key that is not there, or null, is absent; numbers and booleans are taken by their JSON text.
    """
    policy = {
        "Statement": statement(
            Condition={
                "Null": {"aws:absent": "true", "aws:nothing": "true"},
                "NumericEquals": {"aws:n": "1.10"},
                "StringEquals": {"aws:n": "1.10", "aws:b": "true"},
                "ForAllValues:StringLike": {"ses:recipients": "*@example.com"},
            }
        )
    }
    context = (
        '{"AWS:N": 1.10, "aws:b": true, "aws:nothing": null, "ses:Recipients": ["a@example.com", "b@example.com"]}'
    )
    line = json.dumps(CASE | {"policy": policy, "context": "CONTEXT"}).replace('"CONTEXT"', context)

    assert answer(line)["decision"] == "Allow"
    assert answer(json.dumps({k: v for k, v in CASE.items() if k != "context"}))["decision"] == "Allow"


def test_a_bare_operator_on_several_values_counts_as_far_as_its_readings_agree():
    """
    An Allow must apply in both readings, a Deny in one.
    """
    entry = {"StringLike": {"ses:Recipients": "*@example.com"}}
    context = {"ses:Recipients": ["a@example.com", "b@example.net"]}
    for effect, wanted in (("Allow", "ImplicitDeny"), ("Deny", "ExplicitDeny")):
        policy = {"Statement": statement(effect, Condition=entry)}
        assert answer(json.dumps(CASE | {"policy": policy, "context": context}))["decision"] == wanted


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("", "$"),
        ("{", "$"),
        ("[]", "$"),
        ("null", "$"),
        ("[" * 100_000, "$"),
        ('{"id": 1, "id": 2}', "$.id"),
        (json.dumps(CASE | {"id": ["x"]}), "$.id"),
        (json.dumps({k: v for k, v in CASE.items() if k != "policy"}), "$"),
        (json.dumps(CASE | {"policies": {}}), "$"),
        (json.dumps({k: v for k, v in CASE.items() if k != "policy"} | {"policies": []}), "$.policies"),
        (json.dumps({k: v for k, v in CASE.items() if k != "principal"}), "$.principal"),
        (json.dumps(CASE | {"principal": {"AWS": ALICE}}), "$.principal"),
        (json.dumps(CASE | {"action": 5}), "$.action"),
        (json.dumps(CASE | {"resource": None}), "$.resource"),
        (json.dumps(CASE | {"resource": "\ud800"}), "$.resource"),
        (json.dumps(CASE | {"context": []}), "$.context"),
        (json.dumps(CASE | {"context": {"aws:k": {}}}), '$.context["aws:k"]'),
        (json.dumps(CASE | {"context": {"aws:k": [[]]}}), '$.context["aws:k"]'),
        (json.dumps(CASE | {"context": {"aws:k": "a", "AWS:K": "b"}}), '$.context["AWS:K"]'),
        (json.dumps(CASE | {"context": {"aws:k": float("nan")}}), '$.context["aws:k"]'),
        (json.dumps(CASE | {"context": {"aws:k": "\udc80"}}), '$.context["aws:k"]'),
        (json.dumps(CASE)[:-1] + ', "context": {}}', "$.context"),
    ],
)
def test_a_line_that_cannot_be_read_is_undecided(line, path):
    """
    With the place in the line and the reason; nothing is guessed.
    """
    told = answer(line)

    assert told["decision"] == "Undecided"
    assert [problem["path"] for problem in told["problems"]] == [path]
    assert told["because"] == told["trace"] == []


def test_a_policy_that_cannot_be_read_is_undecided():
    """
    As an object or as text; its problems have its name.
    """
    policies: tuple[object, ...] = ({"Statement": []}, '{"Statement": []}', "{", 5, [], False)
    for policy in policies:
        told = answer(json.dumps(CASE | {"policy": policy}))
        assert (told["id"], told["decision"]) == ("c1", "Undecided")
        assert {problem["policy"] for problem in told["problems"]} == {"policy"}
    assert answer(json.dumps(CASE | {"policy": json.dumps(CASE["policy"])}))["decision"] == "Allow"


@pytest.mark.parametrize("given", ["x", 7, -7, 1.5, True, None, ""])
def test_an_id_comes_back_as_it_went_in(given):
    """
    Whatever scalar it is.
    """
    told = answer(json.dumps(CASE | {"id": given}))

    assert (told["id"], type(told["id"])) == (given, type(given))
    assert answer(json.dumps(CASE)[:-1].replace('"c1"', "1e999") + "}")["id"] == "1e999"
    assert answer(json.dumps(CASE).replace('"c1"', "9" * 5000))["id"] == "9" * 5000


@pytest.mark.parametrize("make", [lambda text: io.BytesIO(text.encode()), io.StringIO])
def test_a_run_answers_in_order_and_skips_blank_lines(make):
    """
    One line out for each case in, the broken ones too, the last without its newline.
    """
    lines = [json.dumps(CASE | {"id": 1}), "", "   \r", "broken", json.dumps(CASE | {"id": 2}) + "\r"]
    sink = io.StringIO()

    assert runner.run(make("\n".join(lines)), sink) == 0
    told = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [(one["id"], one["decision"]) for one in told] == [(1, "Allow"), (None, "Undecided"), (2, "Allow")]


def test_bytes_that_are_no_text_are_undecided():
    """
    Not UTF-8, in the place where it stands.
    """
    sink = io.StringIO()
    broken = json.dumps(CASE | {"resource": "XX"}).encode().replace(b"XX", b"\xff")

    runner.run(io.BytesIO(broken + b"\n" + json.dumps(CASE).encode()), sink)
    first, second = map(json.loads, sink.getvalue().splitlines())
    assert (first["decision"], first["problems"][0]["path"]) == ("Undecided", "$.resource")
    assert second["decision"] == "Allow"


def test_a_line_beyond_all_cases_is_answered_without_being_held(monkeypatch):
    """
    And the next line is a case again.
    """
    monkeypatch.setattr(runner, "LONGEST_LINE", 1000)
    fits = json.dumps(CASE).ljust(999) + "\n"
    for rest in ("", "\n", " " * 999 + "\n", "x" * 5000 + "\n"):
        sink = io.StringIO()
        runner.run(io.BytesIO(b"x" * 1000 + rest.encode() + (fits.encode() if rest else b"")), sink)
        told = [json.loads(line)["decision"] for line in sink.getvalue().splitlines()]
        assert told == ["Undecided"] + ["Allow"] * bool(rest)


def test_each_answer_is_out_before_the_next_case_is_read():
    """
    Whoever asks case by case over a pipe need not wait for a buffer to fill, and memory does not grow.
    """
    written: list[str] = []

    class Sink:
        flushed = 0

        def write(self, text: str) -> None:
            written.append(text)

        def flush(self) -> None:
            self.flushed = len(written)

    sink = Sink()

    class Source:
        asked = 0

        def readline(self, _limit: int) -> str:
            assert sink.flushed == self.asked
            self.asked += 1
            return json.dumps(CASE) + "\n" if self.asked <= 5 else ""

    runner.run(Source(), sink)  # type: ignore[arg-type]  # only readline is asked of a source
    assert len(written) == 5
