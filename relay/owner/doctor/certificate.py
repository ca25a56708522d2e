"""
The certificate as a client would see it: both sides of a handshake in memory, where OpenSSL judges what clients judge.

Nobody is connected to. What clients really trust they alone know: the authorities of this system stand for them.
"""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from relay.owner.doctor.findings import Finding, Look, failing, ok, warning
from relay.owner.doctor.setup import Certificate
from relay.smtp.certificates import NEAR, CertificateProblem, expiry_of
from relay.smtp.tls import server_context

CHECKS: Final = ("tls.certificate", "tls.expiry", "tls.name", "tls.chain")
_ROUNDS: Final = 20
_NAME_MISMATCH: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def look_at_certificate(certificate: Certificate, hostname: str, now: float) -> Look:
    """Look at the certificate that listeners show under *hostname*; *now*: seconds since the epoch."""
    return Look(CHECKS, lambda: _findings(certificate, hostname, datetime.fromtimestamp(now, UTC)))


def _findings(certificate: Certificate, hostname: str, now: datetime) -> Iterator[Finding]:
    try:
        server = server_context(certificate.chain, certificate.key)
        end = expiry_of(certificate.chain)
    except (OSError, CertificateProblem) as problem:  # an SSLError is an OSError
        yield failing("tls.certificate", f"{certificate.chain}, {certificate.key}: {_why(problem)}", "")
        return
    yield ok("tls.certificate", f"{certificate.chain} and its key")
    yield _expiry(end, now)
    yield _name(server, certificate.chain, hostname)
    yield _chain(server, certificate.chain)


def _expiry(end: datetime, now: datetime) -> Finding:
    days = (end - now).days
    if end <= now:
        return failing("tls.expiry", f"it ended on {end:%Y-%m-%d}", "")
    told = f"it ends on {end:%Y-%m-%d}, in {days} day{'s' if days != 1 else ''}"
    return warning("tls.expiry", told, "") if end - now <= NEAR else ok("tls.expiry", told)


def _name(server: ssl.SSLContext, chain: Path, hostname: str) -> Finding:
    client = _client()
    client.load_verify_locations(chain)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted: only its name is in doubt
    problem = _handshake(server, client, hostname)
    if problem is None or problem.verify_code not in _NAME_MISMATCH:
        return ok("tls.name", f"it is for {hostname}")
    return warning("tls.name", f"it is not for {hostname}{_names_of(server, client)}", "")


def _names_of(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    client.check_hostname = False
    seen: list[Any] = []
    _handshake(server, client, None, seen)
    names = [value for _, value in (seen[0] or {}).get("subjectAltName", ())] if seen else []
    return f", but for {', '.join(names)}" if names else ", and names nobody"


def _chain(server: ssl.SSLContext, chain: Path) -> Finding:
    client = ssl.create_default_context()
    client.check_hostname = False
    problem = _handshake(server, client, None)
    if problem is None:
        return ok("tls.chain", "an authority that this system trusts signed it")
    number = chain.read_text("ascii", "replace").count("-----BEGIN CERTIFICATE-----")
    held = f"{number} certificate{'s' if number != 1 else ''} in the file"
    return warning("tls.chain", f"who trusts what this system trusts refuses it: {problem.verify_message} ({held})", "")


def _client() -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.minimum_version = ssl.TLSVersion.TLSv1_2
    return client


def _handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, hostname: str | None, seen: list[Any] | None = None
) -> ssl.SSLCertVerificationError | None:
    """
    Let *client* meet *server*; return why it turned away, None where it did not. *seen*: gets the certificate.

    Raises:
        ssl.SSLError: They cannot speak with each other at all.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=hostname)
    for _ in range(_ROUNDS):
        try:
            ours.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return error
        else:
            if seen is not None:
                seen.append(ours.getpeercert())
            return None
        try:
            theirs.do_handshake()
        except ssl.SSLWantReadError:
            continue
    raise ssl.SSLError("the handshake came to no end")


def _why(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLError):
        if problem.reason == "KEY_VALUES_MISMATCH":
            return "the key belongs to another certificate"
        if not problem.reason:  # OpenSSL could not read one of the files
            return "not PEM without a passphrase"
        return f"OpenSSL takes no such certificate and key: {problem.reason.lower().replace('_', ' ')}"
    if isinstance(problem, OSError):
        return problem.strerror or type(problem).__name__
    return str(problem)
