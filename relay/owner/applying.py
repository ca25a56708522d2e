"""
A plan carried out: step after step, each only if SES still has what the plan saw, all of an identity's policies.

What is done stays done: whoever plans again begins where this ended.
"""

from collections.abc import Iterator, Mapping, Sequence

from relay.identities.accounts import Accounts
from relay.identities.ses_api import SesApi
from relay.owner.backups import Backup
from relay.owner.comparing import is_same
from relay.owner.putting import Change, ChangedMeanwhile, Put, put_policy
from relay.owner.steps import Step
from relay.words.arns import IdentityArn


def carry_out(
    steps: Sequence[Step], accounts: Accounts, held: Mapping[IdentityArn, Mapping[str, str]], backup: Backup
) -> Iterator[tuple[Step, Put]]:
    """
    Make *steps*, in their order; each when the next result is asked for.

    *held*: the texts by name that each of the identities had when the steps were planned.

    Raises:
        ChangedMeanwhile: A policy of the step's identity is not as it was then, or as a step left it.
        PuttingProblem, BackupProblem, AwsProblem: As :func:`relay.owner.putting.put_policy` has them.

    """
    expected = {arn: dict(texts) for arn, texts in held.items()}
    for step in steps:
        arn = step.identity
        api = _Watched(accounts, step, expected[arn])
        put = put_policy(api, Change(arn.name, step.name, step.before, step.after), backup)
        if step.after is None:
            expected[arn].pop(step.name, None)
        else:
            expected[arn][step.name] = step.after
        yield step, put


class _Watched(SesApi):
    """
    The SES of a step's identity. Its first reading must show, but for the step's own policy, all of *expected*, texts
    by name, and nothing else.
    """

    def __init__(self, accounts: Accounts, step: Step, expected: Mapping[str, str]) -> None:
        super().__init__(accounts, step.identity.account, step.identity.region)
        self._own = step.name
        self._expected: Mapping[str, str] | None = dict(expected)

    def policies(self, name: str) -> dict[str, str]:
        """Return the texts; see :class:`_Watched`."""
        held = super().policies(name)
        expected, self._expected = self._expected, None
        if expected is not None:
            self._compare(name, expected, held)
        return held

    def _compare(self, identity: str, expected: Mapping[str, str], held: Mapping[str, str]) -> None:
        for other in sorted(({*expected, *held}) - {self._own}):
            if not is_same(expected.get(other), held.get(other)):
                what = "is gone" if other not in held else "is new" if other not in expected else "is another"
                raise ChangedMeanwhile(f"policy {other} of {identity} {what} since the plan was made", held.get(other))
