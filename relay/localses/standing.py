"""How SES stands to an account: in its sandbox or out of it, sending paused by its owner, suspended by SES."""

import json
from dataclasses import asdict, replace
from typing import Any, Final

from relay.localses.owners import Owner
from relay.localses.refusals import Refused
from relay.words.values import dataclass

SANDBOX_RATE: Final = 1.0
SANDBOX_QUOTA: Final = 200.0
"""Messages a second and in 24 hours (SES Developer Guide, "Request production access")."""

_EVERYBODY: Final = "*"


class StandingProblem(ValueError):
    """A list of accounts that cannot be used. ``str()`` is one sentence for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    ``sandbox``: only verified recipients, one a second. ``paused``: its owner stopped sending
    (UpdateAccountSendingEnabled). ``suspended``: SES did.
    """

    sandbox: bool = False
    paused: bool = False
    suspended: bool = False

    def check(self) -> None:
        """
        Check that the account may send at all.

        Raises:
            Refused: MessageRejected or AccountSendingPausedException.
        """
        if self.suspended:
            raise Refused(
                "AccountSuspended",
                "Sending suspended for this account. For more information, please check the inbox of the email address "
                "associated with your AWS account.",
            )
        if self.paused:
            raise Refused("AccountSendingPausedException", "Email sending is disabled for your entire account.")


class Standings:
    """The standing of every account, in each region; those of whom nothing was said stand like *everybody*."""

    def __init__(self, everybody: Standing) -> None:
        self._everybody = everybody
        self._said: dict[str, Standing] = {}

    def of(self, owner: Owner) -> Standing:
        """Return what was said of the account in its region, else of the account, else of everybody."""
        names = (_name(owner), owner.account, _EVERYBODY)
        return next((self._said[name] for name in names if name in self._said), self._everybody)

    def pause(self, owner: Owner, *, paused: bool) -> None:
        """Let the account's owner stop sending in one region, or begin again."""
        self._said[_name(owner)] = replace(self.of(owner), paused=paused)

    def told(self) -> dict[str, dict[str, bool]]:
        """Return what was said, in the form it is set in."""
        return {name: asdict(standing) for name, standing in self._said.items()}

    def set(self, body: bytes) -> None:
        """
        Replace all by those of a JSON body, ``{"888888888888": {"paused": true}}``.

        An account stands for all its regions, ``ACCOUNT/REGION`` for one, ``*`` for everybody else.

        Raises:
            StandingProblem: Nothing was changed.
        """
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            raise StandingProblem("The body is no JSON.") from None
        if not isinstance(document, dict):
            raise StandingProblem('Give an object by account: {"888888888888": {"paused": true}}.')
        self._said = {account: self._read(account, given) for account, given in document.items()}

    def clear(self) -> None:
        """Forget what was said."""
        self._said = {}

    def _read(self, account: str, given: Any) -> Standing:
        known = asdict(self._everybody)
        if not isinstance(given, dict) or given.keys() - known.keys():
            raise StandingProblem(f"{account}: give an object with some of {', '.join(known)}.")
        if not all(isinstance(value, bool) for value in given.values()):
            raise StandingProblem(f"{account}: {', '.join(known)} are true or false.")
        return Standing(**(known | given))


def _name(owner: Owner) -> str:
    return f"{owner.account}/{owner.region}"
