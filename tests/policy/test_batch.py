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
        '{"aws:nothing": null, "AWS:N": 1.10, "aws:b": true, "ses:Recipients": ["a@example.com", "b@example.com"]}'
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


WITHOUT_POLICY = {key: value for key, value in CASE.items() if key != "policy"}


@pytest.mark.parametrize(
    ("line", "path", "why"),
    [
        ("", "$", "not JSON: Expecting value, line 1 column 1"),
        ("{", "$", "not JSON: Expecting property name enclosed in double quotes, line 1 column 2"),
        ("[]", "$", "a case is a JSON object"),
        ("null", "$", "a case is a JSON object"),
        ("[" * 100_000, "$", "nested too deeply"),
        ('{"id": 1, "id": 2}', "$.id", "stands here more than once"),
        (json.dumps(CASE | {"id": ["x"]}), "$.id", "an id is a string or a number"),
        (json.dumps(WITHOUT_POLICY), "$", "either policy or policies is wanted"),
        (json.dumps(CASE | {"policies": {}}), "$", "either policy or policies is wanted"),
        (json.dumps(WITHOUT_POLICY | {"policies": []}), "$.policies", "an object of policies by name is wanted"),
        (
            json.dumps(WITHOUT_POLICY)[:-1] + ', "policies": {"a": {}, "a": {}}}',
            "$.policies.a",
            "stands here more than once",
        ),
        (json.dumps({k: v for k, v in CASE.items() if k != "principal"}), "$.principal", "missing"),
        (json.dumps(CASE | {"principal": {"AWS": ALICE}}), "$.principal", "a string is wanted"),
        (json.dumps(CASE | {"action": 5}), "$.action", "a string is wanted"),
        (json.dumps(CASE | {"resource": None}), "$.resource", "a string is wanted"),
        (json.dumps(CASE | {"resource": "\ud800"}), "$.resource", "half of a surrogate pair is no text"),
        (json.dumps(CASE | {"context": []}), "$.context", "an object of condition keys is wanted"),
        (
            json.dumps(CASE | {"context": {"aws:k": {}}}),
            '$.context["aws:k"]',
            "strings, numbers and booleans are wanted",
        ),
        (
            json.dumps(CASE | {"context": {"aws:k": [[]]}}),
            '$.context["aws:k"]',
            "strings, numbers and booleans are wanted",
        ),
        (
            json.dumps(CASE | {"context": {"aws:k": "a", "AWS:K": "b"}}),
            '$.context["AWS:K"]',
            "stands here in another case too",
        ),
        (json.dumps(CASE | {"context": {"aws:k": float("nan")}}), '$.context["aws:k"]', "NaN is not JSON"),
        (
            json.dumps(CASE | {"context": {"aws:k": "\udc80"}}),
            '$.context["aws:k"]',
            "half of a surrogate pair is no text",
        ),
        (json.dumps(CASE)[:-1] + ', "context": {}}', "$.context", "stands here more than once"),
    ],
)
def test_a_line_that_cannot_be_read_is_undecided(line, path, why):
    """
    With the place in the line and the reason; nothing is guessed.
    """
    told = answer(line)

    assert told["decision"] == "Undecided"
    assert told["problems"] == [{"policy": "", "path": path, "why": why}]
    assert told["because"] == told["trace"] == []
    assert told["id"] == ("c1" if '"c1"' in line else 2 if '"id": 2' in line else None)


def test_a_statement_that_does_not_apply_tells_the_first_element_that_did_not_match():
    """
    With what it wanted, and what it found.
    """
    of_the_key = {"element": "Condition", "operator": "StringLike", "key": "aws:K", "wanted": ["a*"]}
    policy = {
        "Statement": [
            statement(Condition={"StringLike": {"aws:K": "a*"}}),
            statement(Action=["ses:SendEmail"]),
        ]
    }
    case = CASE | {"policy": policy}

    first, second = answer(json.dumps(case))["trace"]
    assert (first["applies"], first["mismatch"]) == ("no", of_the_key | {"found": None})
    assert second["mismatch"] == {
        "element": "Action",
        "operator": None,
        "key": None,
        "wanted": ["ses:SendEmail"],
        "found": ["ses:SendRawEmail"],
    }
    first, _ = answer(json.dumps(case | {"context": {"aws:k": ["b"]}}))["trace"]
    assert first["mismatch"] == of_the_key | {"found": ["b"]}


@pytest.mark.parametrize("spell", [json.dumps, lambda policy: policy])
def test_a_policy_of_ses_wants_a_resource_in_every_statement(spell):
    """
    As text or as an object; that of another service may be about what it is attached to.
    """
    made = statement()
    del made["Resource"]
    case = CASE | {"policy": spell({"Statement": made})}

    assert answer(json.dumps(case))["decision"] == "Undecided"
    assert answer(json.dumps(case | {"resource": "arn:aws:s3:::bucket"}))["decision"] == "Allow"


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
    assert answer(json.dumps(CASE).replace('"c1"', "9" * 300))["id"] == int("9" * 300)


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
