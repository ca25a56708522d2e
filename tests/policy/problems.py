"""
What is told of policies that cannot be read: ``tests/cases/policy-problems.txt``, written anew by
``python -m tests.policy.problems`` after a sentence was changed on purpose.
"""

import json
from typing import Any, Final

from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from tests.policy.asking import CASES, load

TOLD: Final = CASES / "policy-problems.txt"
_ENTRY: Final = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}

#: Beside the cases of policy-unreadable.jsonl: several problems at once, and doubts.
MORE: Final[dict[str, Any]] = {
    "many problems of principals": {"Principal": {"Nobody": "a", "AWS": ["alice", 1, ""], "Service": [], "No": "b"}},
    "many problems of actions": {"Action": ["ses", 1, "ses:Send Email", "a:b:c"]},
    "many problems of resources": {"Resource": ["bucket", None, "ARN:aws:s3:::b"]},
    "many problems of a statement": {"Id": 1, "Sid": 2, "Effect": "allow", "NotAction": "*", "Condition": []},
    "many problems of conditions": {
        "Condition": {"Bool": {"a": "true", "A": "true", "": "true", "b": [], "c": [{}, "d"]}, "Nope": {}, "Null": "x"}
    },
    "doubts of an Allow": {
        "Condition": {
            "NumericEquals": {"a": ["1", "x", "1e1"]},
            "DateEquals": {"b": "2020"},
            "IpAddress": {"c": "10.0.0.0/33"},
            "BinaryEquals": {"d": "?"},
            "Bool": {"e": "yes"},
            "Null": {"f": ["true", "no"]},
            "ArnLike": {"g": ["*", "arn:aws"]},
        }
    },
    "the same in a Deny": {
        "Effect": "Deny",
        "Condition": {"NumericEquals": {"a": "x"}, "Null": {"f": "no"}, "ArnLike": {"g": "*"}, "Bool": {"e": "yes"}},
    },
    "variables": {"Condition": {"StringEquals": {"a": "${}"}, "StringLike": {"b": "${"}}, "Resource": "arn:${ }"},
}


def documents() -> dict[str, str]:
    """The policies as text, by name."""
    cases = {
        case["name"]: case["text"] if "text" in case else json.dumps(case["policy"])
        for case in load("policy-unreadable.jsonl")
    }
    for name, elements in MORE.items():
        statement = _ENTRY | {key: value for key, value in elements.items() if key != "Id"}
        head = {key: value for key, value in elements.items() if key == "Id"}
        cases[name] = json.dumps({"Version": "2012-10-17", **head, "Statement": statement})
    return cases


def told(text: str) -> str:
    """Every problem and doubt, a line each; what Python says of bad JSON changes with its version."""
    made: Policy | UnreadablePolicy = parse_policy("p", text)
    kind, found = ("doubt", made.doubts) if isinstance(made, Policy) else ("problem", made.problems)
    lines = [f"{kind} {one.path}: {'not JSON' if one.why.startswith('not JSON:') else one.why}" for one in found]
    return "\n".join(lines)


def written() -> dict[str, str]:
    """What is told of each policy according to the file."""
    parts = TOLD.read_text("utf-8").rstrip("\n").split("\n\n# ")
    return {name: text for name, _, text in (part.removeprefix("# ").partition("\n") for part in parts)}


if __name__ == "__main__":
    TOLD.write_text("\n\n".join(f"# {name}\n{told(text)}" for name, text in documents().items()) + "\n", "utf-8")
