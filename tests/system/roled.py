"""A relay that is nobody at the owner's, delegates with roles of their own, and an SES that judges each by its role."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.houses import DEMO, House
from tests.system.relays import EmbeddedSes, started_ses

RELAY: Final = "arn:aws:iam::999999999999:user/relay"
EXTERNAL_ID: Final = "asked-by-billing"
ROLES: Final = {
    "billing": "arn:aws:iam::111111111111:role/mail/billing",
    "newsletter": "arn:aws:iam::222222222222:role/newsletter",
    "intern": "arn:aws:iam::333333333333:role/intern",
}
SESSIONS: Final = {
    "billing": "arn:aws:sts::111111111111:assumed-role/billing/ses-relay-billing",
    "newsletter": "arn:aws:sts::222222222222:assumed-role/newsletter/ses-relay-newsletter",
    "intern": "arn:aws:sts::333333333333:assumed-role/intern/ses-relay-intern",
}
#: A role beside billing's in its account; one that trusts nobody we know; one for notices, in the owner's account.
AUDIT: Final = "arn:aws:iam::111111111111:role/audit"
CLOSED: Final = "arn:aws:iam::444444444444:role/closed"
NOTICES: Final = "arn:aws:iam::888888888888:role/notices"
#: How the demo's settings and policies name its delegates.
PRINCIPALS: Final = {
    "billing": "arn:aws:iam::111111111111:user/billing",
    "newsletter": "arn:aws:iam::222222222222:role/newsletter",
    "intern": "arn:aws:iam::333333333333:user/intern",
}

ACCOUNTS: Final = f"""
[[key]]
id = "AKIADEMOOWNER0000000"
secret = "demo-owner-secret"
principal = "arn:aws:iam::888888888888:user/owner"

[[key]]
id = "AKIADEMORELAY0000000"
secret = "demo-relay-secret"
principal = "{RELAY}"

[[role]]
arn = "{ROLES["billing"]}"
trusts = ["{RELAY}"]
external_id = "{EXTERNAL_ID}"
"""


def _role(arn: str, trusts: str = RELAY) -> str:
    return f'\n[[role]]\narn = "{arn}"\ntrusts = ["{trusts}"]\n'


@contextmanager
def started_ses_of_owner(folder: Path, *arguments: str) -> Iterator[EmbeddedSes]:
    """Run an SES that has the demo's policies, for roles in the place of users, and takes nothing from the relay."""
    accounts = folder / "accounts.toml"
    roles = [_role(ROLES["newsletter"]), _role(ROLES["intern"]), _role(AUDIT), _role(NOTICES)]
    accounts.write_text(ACCOUNTS + "".join(roles) + _role(CLOSED, "arn:aws:iam::444444444444:user/somebody"))
    shutil.copytree(DEMO / "policies", folder / "state")
    for path in (folder / "state").rglob("*.json"):
        text = path.read_text()
        for name, principal in PRINCIPALS.items():
            text = text.replace(principal, ROLES[name])
        path.write_text(text)
    with started_ses(folder, "--state", str(folder / "state"), "--accounts", str(accounts), *arguments) as ses:
        yield ses


def roled(house: House, state: Path) -> House:
    """Give every delegate its role, and let the relay read what the owner has at SES."""
    house.edit('directory = "policies"', f'directory = "{state}"')
    for name, role in ROLES.items():
        more = f'\nexternal_id = "{EXTERNAL_ID}"' if name == "billing" else ""
        house.edit(f'principal = "{PRINCIPALS[name]}"', f'role_arn = "{role}"{more}')
    house.edit("account_grant = true", "#")
    return house
