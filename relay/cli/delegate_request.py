"""What an identity owner is told so that a delegate can be granted: one page to mail, or JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from relay.owner.grant import FILL_IN, Grant, policy_of
from relay.owner.statements import ACTION, Pattern
from relay.policy.principals import parse_caller
from relay.settings.people import DelegateSettings
from relay.words.arns import IdentityArn
from relay.words.delegates import CALLER

#: Where the owner fills in whose mail it is; brackets are in no address.
ANY_AUTHOR: Final = Pattern("NAME@YOUR-DOMAIN")
FIELDS: Final = {
    "X-SES-SOURCE-ARN": "the identity of the address in From and of where bounces go",
    "X-SES-FROM-ARN": "the identity of From, where it is another one",
    "X-SES-RETURN-PATH-ARN": "the identity of where bounces go, where it is another one",
}


def as_json(delegate: DelegateSettings, identity: IdentityArn | None, authors: Sequence[Pattern]) -> dict[str, Any]:
    """
    Put together what the owner needs to know.

    Leaves with exit code 2 where it is not known who the delegate is to AWS.
    """
    principal = delegate.role_arn or delegate.principal
    if principal is None or principal == CALLER:
        raise click.UsageError(
            f"{delegate.name} is the relay itself; on its machine, `aws sts get-caller-identity` tells the principal"
        )
    grant = Grant(identity or FILL_IN, principal, authors=authors or [ANY_AUTHOR], sid=_sid(delegate.name))
    is_seen = delegate.role_arn is not None
    return {
        "format": 1,
        "delegate": delegate.name,
        "principal": principal,
        "account": parse_caller(principal).account,
        "action": ACTION,
        "identity": None if identity is None else str(identity),
        "account_grant": delegate.account_grant,
        "hand_back": dict(FIELDS),
        "judged_by_ses_as": principal if is_seen else None,
        "policy": policy_of(grant),
    }


def render(told: Mapping[str, Any]) -> str:
    """Return it as a page."""
    lines = [
        f"Request for sending authorization: {told['delegate']}",
        "",
        f"  principal  {told['principal']}",
        f"  account    {told['account'] or '-'}",
        f"  action     {told['action']}",
        f"  identity   {told['identity'] or 'yours: a verified domain or address in Amazon SES'}",
        "",
        "Please attach a policy like this to the identity (SES console: Authorization; aws ses put-identity-policy).",
        "Capitals stand for what you know. ses:FromAddress bounds the From addresses, ses:FeedbackAddress would bound",
        "where bounces go, ses:Recipients to whom.",
        "",
        *("  " + line for line in json.dumps(told["policy"], indent=2).splitlines()),
        "",
        "Please hand back the ARN of the identity: arn:aws:ses:REGION:ACCOUNT:identity/NAME. Mail names it in",
        *(f"  {field + ':':<23}{what}" for field, what in told["hand_back"].items()),
        "or the relay is told once, as default_source_arn of the delegate.",
    ]
    if told["account_grant"]:
        lines += [
            "",
            "A statement that names the whole account counts, too: the relay's operator vouches for the delegate.",
        ]
    if told["judged_by_ses_as"] is None:
        lines += [
            "",
            "The relay enforces this policy for each delegate. It calls SES as itself: SES asks your policy about the",
            "relay's own principal, too, unless the relay is in your account. Its operator tells you which that is.",
        ]
    return "\n".join(lines)


def _sid(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-")) or "Delegate"
