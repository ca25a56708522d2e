"""
The condition keys that exist: what they hold, when they are there, and whether the relay can know them.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon SES" (v1 and v2); SES Developer
Guide, "Policy anatomy" and "Sending policy examples"; IAM User Guide, "AWS global condition context keys".
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal

from relay.policy.lint.wording import nearest
from relay.words.values import dataclass

Kind = Literal["address", "string", "account", "arn", "date", "epoch", "number", "bool", "ip"]
#: When a send has it: on every one; on some; when a service sends for a resource; not over SMTP; on none.
Presence = Literal["always", "sometimes", "services", "api-only", "never"]


@dataclass(frozen=True, slots=True)
class Key:
    """
    A condition key as the documentation spells it; one that ends in ``/`` stands for all that begin so.

    ``many``: it holds many values. ``documented``: the SES guide names it. ``told_by``: the setting that tells the
    relay its value; empty where the relay knows without being told. ``of_caller``: it tells callers apart.
    """

    name: str
    kind: Kind = "string"
    many: bool = False
    presence: Presence = "sometimes"
    documented: bool = False
    told_by: str = ""
    of_caller: bool = False

    @property
    def is_always_there(self) -> bool:
        """Whether every send has it."""
        return self.presence == "always"


_CONTEXT: Final = "authorization.context"

_OF_SES: Final = (
    Key("ses:FromAddress", "address", presence="always", documented=True),
    Key("ses:FromDisplayName", documented=True),
    Key("ses:FeedbackAddress", "address", presence="always", documented=True),
    Key("ses:Recipients", "address", many=True, presence="always", documented=True),
    Key("ses:ApiVersion", presence="always", documented=True, told_by=_CONTEXT),
    Key("ses:TenantName", documented=True),
    Key("ses:MultiRegionEndpointId", presence="api-only", documented=True),
    Key("ses:ExportSourceType", presence="never", documented=True),
    Key("ses:ReplicaRegion", many=True, presence="never", documented=True),
)

_OF_ALL_AWS: Final = (
    Key("aws:CurrentTime", "date", presence="always", documented=True),
    Key("aws:EpochTime", "epoch", presence="always", documented=True),
    Key("aws:SecureTransport", "bool", presence="always", documented=True),
    Key("aws:SourceIp", "ip", documented=True, told_by="ses.egress", of_caller=True),
    Key("aws:SourceVpc", documented=True, told_by="ses.egress", of_caller=True),
    Key("aws:SourceVpce", documented=True, told_by="ses.egress", of_caller=True),
    Key("aws:VpcSourceIp", "ip", documented=True, told_by="ses.egress", of_caller=True),
    Key("aws:UserAgent", presence="always", documented=True),
    Key("aws:PrincipalOrgID", documented=True, told_by="delegate.organization_id", of_caller=True),
    Key("aws:SourceAccount", "account", presence="services", documented=True, of_caller=True),
    Key("aws:SourceArn", "arn", presence="services", documented=True, of_caller=True),
    Key("aws:SourceOrgID", presence="services", of_caller=True),
    Key("aws:SourceOrgPaths", many=True, presence="services", of_caller=True),
    Key("aws:PrincipalServiceName", presence="services", of_caller=True),
    Key("aws:PrincipalServiceNamesList", many=True, presence="services", of_caller=True),
    Key("aws:PrincipalAccount", "account", presence="always", of_caller=True),
    Key("aws:PrincipalArn", "arn", of_caller=True),
    Key("aws:PrincipalIsAWSService", "bool", presence="always"),
    Key("aws:PrincipalOrgPaths", many=True, told_by=_CONTEXT, of_caller=True),
    Key("aws:PrincipalTag/", told_by="delegate.principal_tags", of_caller=True),
    Key("aws:PrincipalType", presence="always"),
    Key("aws:userid", presence="always", told_by=_CONTEXT, of_caller=True),
    Key("aws:username", of_caller=True),
    Key("aws:AssumedRoot", "bool", told_by=_CONTEXT),
    Key("aws:ChatbotSourceArn", "arn", told_by=_CONTEXT),
    Key("aws:Ec2InstanceSourcePrivateIPv4", "ip", told_by=_CONTEXT),
    Key("aws:Ec2InstanceSourceVpc", told_by=_CONTEXT),
    Key("aws:FederatedProvider", told_by=_CONTEXT),
    Key("aws:MultiFactorAuthAge", "number", told_by=_CONTEXT),
    Key("aws:MultiFactorAuthPresent", "bool", told_by=_CONTEXT),
    Key("aws:RequestedRegion", presence="always"),
    Key("aws:ResourceAccount", "account", presence="always"),
    Key("aws:ResourceOrgID", told_by=_CONTEXT),
    Key("aws:ResourceOrgPaths", many=True, told_by=_CONTEXT),
    Key("aws:ResourceTag/", told_by=_CONTEXT),
    Key("aws:SourceIdentity", told_by=_CONTEXT),
    Key("aws:SourceVpcArn", "arn", told_by=_CONTEXT, of_caller=True),
    Key("aws:TokenIssueTime", "date", told_by=_CONTEXT),
    Key("aws:ViaAWSService", "bool", presence="always"),
    Key("aws:VpceAccount", "account", told_by=_CONTEXT, of_caller=True),
    Key("aws:VpceOrgID", told_by=_CONTEXT, of_caller=True),
    Key("aws:VpceOrgPaths", many=True, told_by=_CONTEXT, of_caller=True),
    Key("aws:referer", told_by=_CONTEXT),
    Key("aws:CalledVia", many=True, presence="never"),
    Key("aws:CalledViaFirst", presence="never"),
    Key("aws:CalledViaLast", presence="never"),
    Key("aws:RequestTag/", presence="never"),
    Key("aws:TagKeys", many=True, presence="never"),
)

KEYS: Final = (*_OF_SES, *_OF_ALL_AWS)

_BY_NAME: Final = {key.name.lower(): key for key in KEYS}
_FAMILIES: Final = tuple(key for key in KEYS if key.name.endswith("/"))

#: What people call the keys, after their headers and parameters.
_NICKNAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bcc": "ses:Recipients",
        "cc": "ses:Recipients",
        "destination": "ses:Recipients",
        "destinations": "ses:Recipients",
        "to": "ses:Recipients",
        "toaddress": "ses:Recipients",
        "from": "ses:FromAddress",
        "sender": "ses:FromAddress",
        "displayname": "ses:FromDisplayName",
        "fromname": "ses:FromDisplayName",
        "mailfrom": "ses:FeedbackAddress",
        "returnpath": "ses:FeedbackAddress",
        "returnpathaddress": "ses:FeedbackAddress",
        "source": "ses:FeedbackAddress",
        "sourceaddress": "ses:FeedbackAddress",
        "organization": "aws:PrincipalOrgID",
        "orgid": "aws:PrincipalOrgID",
        "ip": "aws:SourceIp",
    }
)


def find_key(spelled: str) -> Key | None:
    """The key that *spelled* names, in whatever case; its name is as documented, with the tag behind the ``/``."""
    lowered = spelled.lower()
    found = _BY_NAME.get(lowered)
    if found is not None:
        return None if found.name.endswith("/") else found
    family = next((key for key in _FAMILIES if lowered.startswith(key.name.lower())), None)
    return None if family is None else replace(family, name=family.name + spelled[len(family.name) :])


def meant_by(spelled: str) -> str | None:
    """The key that was likely meant by *spelled*, which is none."""
    bare = spelled.rpartition(":")[2].lower().replace("-", "").replace("_", "")
    return _NICKNAMES.get(bare) or nearest(spelled, _names()) or nearest(bare, _bare_names())


def _names() -> tuple[str, ...]:
    return tuple(key.name for key in KEYS)


def _bare_names() -> tuple[str, ...]:
    return tuple(key.name.rpartition(":")[2] for key in KEYS)
