"""Where to listen, and whether only this machine can reach it."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_listen(text: str) -> tuple[str, int]:
    """
    Read ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises:
        ValueError: It is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{text!r} is no address: write HOST:PORT, such as 127.0.0.1:8579")
    return host.strip("[]"), int(port)
