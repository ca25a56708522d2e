"""Who the relay itself is to AWS (STS API Reference, "GetCallerIdentity"): the question needs no permission."""

import re
from typing import Final

from relay.sending.documents import read_fields
from relay.sending.keys import Unusable
from relay.words.values import dataclass

QUESTION: Final = b"Action=GetCallerIdentity&Version=2011-06-15"

_ACCOUNT = re.compile(r"[!-~]{1,64}", re.ASCII)
_ARN = re.compile(r"arn:[!-~]{1,2000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """An account, and the ARN of the user or session that the relay's credentials belong to."""

    account: str
    arn: str


def caller_of(status: int, body: bytes) -> Caller | Unusable:
    """Return whom STS named; Unusable when it did not."""
    fields = read_fields(body) or {}
    account = fields.get("GetCallerIdentityResult/Account", "")
    arn = fields.get("GetCallerIdentityResult/Arn", "")
    if status == 200 and _ACCOUNT.fullmatch(account) and _ARN.fullmatch(arn):
        return Caller(account, arn)
    code = fields.get("Error/Code", "no error of STS")[:64]
    return Unusable(f"STS answered HTTP status {status}, {code}")
