"""A plan as JSON, to be looked at, kept, and held against what is there when it is carried out. Pure."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from relay.owner.comparing import differences
from relay.owner.plan import Plan
from relay.owner.steps import Step, is_hold_text
from relay.words.arns import IdentityArn, parse_identity_arn
from relay.words.values import dataclass

VERSION: Final = 1


class PlanFileProblem(ValueError):
    """The text is no plan that was written by this program. ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One change that was planned: SHA-256 of the texts before and after, in hexadecimal; None for no policy."""

    identity: IdentityArn
    policy: str
    before: str | None
    after: str | None


def to_json(plan: Plan, made_at: float) -> dict[str, Any]:
    """Return *plan* JSON-ready. *made_at*: seconds since the epoch."""
    return {
        "version": VERSION,
        "made_at": datetime.fromtimestamp(made_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ok": not plan.problems,
        "identities": plan.identities,
        "same": plan.same,
        "changes": [_change(step) for step in plan.changes],
        "steps": [_step(step) for step in plan.steps],
        "effects": [effect.to_json() for each in plan.changed for effect in each.effects],
        "remarks": {str(each.identity): list(each.remarks) for each in plan.changed if each.remarks},
        "left_alone": [{"identity": str(arn), "policies": list(names)} for arn, names in plan.left_alone.items()],
        "not_looked_at": [str(arn) for arn in plan.unseen],
        "problems": list(plan.problems),
        "seconds": plan.seconds,
    }


def digest(text: str | None) -> str | None:
    """Return the SHA-256 of a text in hexadecimal; None for no policy."""
    return None if text is None else sha256(text.encode(errors="surrogatepass")).hexdigest()


def read_plan(text: str) -> list[Planned]:
    """
    Return the changes of a plan that :func:`to_json` made.

    Raises:
        PlanFileProblem: It is none.

    """
    try:
        value = json.loads(text)
        version, rows = value["version"], value["changes"]
        planned = [_planned(row) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PlanFileProblem("it is no plan that ses-relay policy plan --out wrote") from error
    if version != VERSION:
        raise PlanFileProblem(f"it is of version {version!r}; this program reads version {VERSION}")
    return planned


def changes_since(planned: list[Planned], plan: Plan, wanted: Mapping[IdentityArn, Mapping[str, str]]) -> Iterator[str]:
    """
    Say what in the folder, *wanted*, or at SES is otherwise than when *planned* was made; *plan* is of now.

    What was planned and is done already, by a run that ended early, is none.
    """
    of_then = {(one.identity, one.policy): one for one in planned}
    of_now = {(step.identity, step.name): step for step in plan.changes}
    for place, one in of_then.items():
        what = f"policy {one.policy} of {one.identity}"
        if one.identity not in wanted or digest(wanted[one.identity].get(one.policy)) != one.after:
            yield f"{what}: the folder has changed"
        elif place in of_now and not _is_as_then(of_now[place], one):
            yield f"{what}: SES has another text than when it was planned"
    for identity, policy in of_now.keys() - of_then.keys():
        yield f"policy {policy} of {identity}: nothing was planned for it, and now it is not as the folder has it"


def _is_as_then(step: Step, planned: Planned) -> bool:
    return digest(step.before) == planned.before or (step.before is not None and is_hold_text(step.before))


def _planned(row: Mapping[str, Any]) -> Planned:
    return Planned(parse_identity_arn(row["identity"]), str(row["policy"]), row["before"], row["after"])


def _change(step: Step) -> dict[str, Any]:
    return {
        **_step(step),
        "diff": differences(step.before, step.after, old_name="SES", new_name="folder"),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "do": step.verb,
        "identity": str(step.identity),
        "policy": step.name,
        "before": digest(step.before),
        "after": digest(step.after),
    }
