"""Which clients are the same at every relay: those whose address means one machine wherever it is seen."""

from typing import Any, Final, TypeGuard

from relay.smtp.budgets import Prefix

_LOOPBACK: Final = 127
_LINK_LOCAL: Final = (169 << 8) | 254


def is_prefix(value: tuple[Any, Any]) -> TypeGuard[Prefix]:
    """Whether it is the prefix of a client that may be spoken of among relays."""
    version, prefix = value
    if type(version) is not int or type(prefix) is not int or version not in (4, 6):
        return False
    return 0 <= prefix < (1 << 32 if version == 4 else 1 << 64) and travels((version, prefix))


def travels(prefix: Prefix) -> bool:
    """
    Whether the client is the same at every relay.

    ``127.0.0.1`` is another machine at each: fifty sidecars do not have one client between them. So it is with
    addresses of a link, and with those whom a balancer brings and has not named yet.
    """
    version, address = prefix
    if version == 4:
        return address >> 24 not in (0, _LOOPBACK) and address >> 16 != _LINK_LOCAL
    return version == 6 and address != 0 and address >> 54 != 0xFE80 >> 6
