"""
Policies that grant the relay's own account: they let the relay in at SES, and whoever else lives in that account.

SES then sees the relay's principal in the mail of each of its delegates, and the relay alone tells them apart. A policy
that names the relay's principal says less.
"""

from collections.abc import Iterable, Iterator

from relay.judgement.catalog import Catalog
from relay.judgement.context import caller_of
from relay.policy.answers import StatementRef
from relay.policy.document import Policy
from relay.policy.statements import Statement
from relay.words.apis import Api
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate


def grants_of_account(catalog: Catalog, account: str) -> Iterator[tuple[IdentityArn, StatementRef]]:
    """Find every statement that lets all of *account* send."""
    for owned in catalog.owners.values():
        for group in owned.by_folded_name.values():
            for identity in group:
                for policy in identity.policies:
                    if isinstance(policy, Policy):
                        yield from ((identity.arn, s.ref) for s in policy.statements if _grants(s, account))


def living_in(account: str, delegates: Iterable[Delegate]) -> tuple[str, ...]:
    """Name the delegates whose principal is of *account*."""
    return tuple(each.name for each in delegates if each.is_caller or caller_of(each).account == account)


def _grants(statement: Statement, account: str) -> bool:
    """Whether it is an Allow of sending that names the whole account, under whatever condition."""
    principals = statement.principals
    names_it = not principals.negated and any(named == account for _, named in principals.accounts)
    return statement.effect == "Allow" and names_it and bool(statement.actions.match(Api.RAW.action.lower()))
