"""Amazon Resource Names of SES identities."""

import re
from dataclasses import dataclass
from typing import Final

from relay.words.addresses import Address

LONGEST_ARN: Final = 400
_ARN_TEXT = re.compile(r"[!#-+\--~]+", re.ASCII)


class ArnProblem(ValueError):
    """Text that is not one ARN. ``str()`` says why."""


@dataclass(frozen=True, slots=True, order=True)
class IdentityArn:
    """
    ``arn:PARTITION:ses:REGION:ACCOUNT:identity/NAME`` (Service Authorization Reference, "Amazon SES").

    ``name`` is a domain or an address, spelt as its owner verified it.
    """

    partition: str
    region: str
    account: str
    name: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:ses:{self.region}:{self.account}:identity/{self.name}"

    @property
    def is_address(self) -> bool:
        """Whether the identity is one address; else it is a domain."""
        return "@" in self.name

    def covers(self, address: Address) -> bool:
        """
        Whether mail may be sent from *address* under this identity: the very address, its domain, or a parent domain.

        Domains compare without case; an address identity covers its exact spelling and its ``+label`` forms
        (SES Developer Guide, "Creating and verifying identities").
        """
        domain = address.domain.lower()
        if not self.is_address:
            own = self.name.lower()
            return domain == own or domain.endswith("." + own)
        local, _, own = self.name.rpartition("@")
        return domain == own.lower() and (address.local == local or address.local.partition("+")[0] == local)


def check_arn_text(text: str) -> None:
    """
    Check that *text* is one ARN by form: six colon fields, printable ASCII without blanks, quotes or commas, 400
    octets.

    Raises:
        ArnProblem: It is not.
    """
    if len(text) > LONGEST_ARN:
        raise ArnProblem("an ARN has at most 400 octets")
    if not _ARN_TEXT.fullmatch(text):
        raise ArnProblem("an ARN is printable ASCII without blanks, quotes or commas")
    if text.count(":") < 5 or not text[:4].lower() == "arn:":
        raise ArnProblem("an ARN is arn:partition:service:region:account:resource")


def parse_identity_arn(text: str) -> IdentityArn:
    """
    Read the ARN of an SES identity. Case-sensitive, as ARNs are.

    Raises:
        ArnProblem: Not one ARN, or not of an SES identity.
    """
    check_arn_text(text)
    prefix, partition, service, region, account, resource = text.split(":", 5)
    kind, slash, name = resource.partition("/")
    if (
        prefix != "arn"
        or not partition.startswith("aws")
        or service != "ses"
        or kind != "identity"
        or not slash
        or not name
    ):
        raise ArnProblem("not the ARN of an SES identity: arn:aws:ses:REGION:ACCOUNT:identity/NAME")
    return IdentityArn(partition, region, account, name)
