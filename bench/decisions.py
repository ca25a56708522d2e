"""The judge: decisions per CPU-second, beside ministack's evaluator; what it costs to have many identities."""

import gc
import itertools
import random
import tracemalloc
from collections.abc import Iterator
from functools import partial

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

from bench import policies
from bench.clock import micro, per_call, percentiles, rate
from bench.record import figure, head, row
from relay.judgement.catalog import Catalog
from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.policy.answers import Decision
from relay.policy.evaluation import evaluate
from relay.policy.wildcards import compile_glob, wild
from relay.words.delegates import Delegate

RULES = Rules()


def statements() -> None:
    """One decision, by the number of statements, the last of which allows."""
    head("one decision (policy.evaluate)", "ours", "a second", "ministack", "ratio")
    asked, context = policies.request(), _their_context()
    for count in (1, 3, 20, 100):
        read, written = [policies.policy(statements=count)], policies.document(statements=count)
        assert evaluate(asked, read).decision is Decision.ALLOW
        assert evaluate_resource_policy(written, context).decision == "Allow"
        ours = per_call(partial(evaluate, asked, read))
        theirs = per_call(partial(evaluate_resource_policy, written, context))
        row(f"{count} statements", micro(ours), rate(ours), micro(theirs), f"{theirs / ours:.1f}")
    p50, p99 = percentiles([partial(evaluate, asked, [policies.policy()])] * 100)
    row("3 statements, single calls: p50, p99", micro(p50), micro(p99))
    figure("judge p50", p50 * 1e6)


def _their_context() -> EvalContext:
    return EvalContext(
        principal_arn=policies.DELEGATE,
        principal_type="User",
        principal_account="111111111111",
        action="ses:SendRawEmail",
        resource_arn=policies.arn("example.com"),
        region="us-east-1",
        service_context={key.lower(): v if len(v) > 1 else v[0] for key, v in policies.CONTEXT.items()},
    )


def _judge(mail_from: str, callers: Iterator[Delegate], known: Catalog) -> Judgement:
    facts, envelope = _MESSAGES[mail_from]
    return judge_message(facts, envelope, next(callers), known, RULES, policies.NOW)


_MESSAGES = {path: policies.message(path) for path in ("bounces@example.com", "invoices-2025@example.com")}


def messages() -> None:
    """A whole message: its questions, one decision value for each with its reasons."""
    head("one message (judge_message)", "CPU", "a second")
    known, (allowed, refused) = policies.catalog(1), policies.delegates(2)
    for name, delegate, path in (
        ("allowed; the author is not MAIL FROM", allowed, "bounces@example.com"),
        ("allowed; the author is MAIL FROM", allowed, "invoices-2025@example.com"),
        ("refused, with the nearest miss and what to change", refused, "bounces@example.com"),
    ):
        judged = partial(_judge, path, itertools.repeat(delegate), known)
        assert (judged().permit is None) is (delegate is refused)
        cost = per_call(judged)
        row(name, micro(cost), rate(cost))


def many() -> None:
    """The same message, with ever more identities and delegates loaded."""
    head("one message, by identities and delegates loaded", "one allowed", "any, refused")
    shared, chance = policies.policy(), random.Random(1)
    for count in (10, 10_000, 100_000):
        known, who = policies.catalog(count, shared), policies.delegates(count)
        path = "bounces@example.com"
        one = per_call(partial(_judge, path, itertools.repeat(who[0]), known))
        mixed = itertools.cycle(chance.choices(who[1:], k=50_000))
        row(f"{count:,} of each", micro(one), micro(per_call(partial(_judge, path, mixed, known))))


def wildcards() -> None:
    """Patterns made to backtrack, against ever longer texts in which they almost match."""
    sizes = (2560, 5120, 10240)
    head("a pattern against aaa, many c, and b", *(f"{size:,} octets" for size in sizes))
    for pattern in ("*a*a*a*a*b", "*a?*a?*a?*b", "*" + "a*" * 40 + "b", "*c*c*c*c*d*b"):
        glob = compile_glob(wild(pattern))
        row(
            pattern if len(pattern) < 40 else f"{pattern[:8]} ... {pattern[-3:]}, 41 stars",
            *(micro(per_call(partial(glob.matches, "aaa" + "c" * (size - 4) + "b"))) for size in sizes),
        )


def memory() -> None:
    """What one identity with a policy of three statements holds, and what reading it costs."""
    head("one cached identity, a policy of three statements", "memory", "to read it")
    count = 2_000
    gc.collect()
    tracemalloc.start()
    held = list(policies.identities(count))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row(f"of {len(held):,}", f"{size / count / 1024:.1f} KiB", micro(per_call(policies.policy)))


def main() -> None:
    for measured in (statements, messages, many, wildcards, memory):
        measured()


if __name__ == "__main__":
    main()
