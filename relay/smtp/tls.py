"""The TLS side of the street door."""

import ssl
from pathlib import Path
from typing import Final

#: Forward secrecy and AEAD only for TLS 1.2 (Mozilla's intermediate profile, without DHE); TLS 1.3 brings its own.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(
    certificate: Path, key: Path, client_ca: Path | None = None, *, require_client_certificate: bool = False
) -> ssl.SSLContext:
    """
    Make the context of our listeners: TLS 1.2 and 1.3, no renegotiation, no compression.

    With *client_ca* a client may show a certificate, or must, and one that is shown must be signed by it, for the use
    of clients where it says what for. No session is resumed by a ticket then: each connection shows it anew. One of TLS
    1.2 may still be resumed by its number, past the end of the certificate: who asks for its names looks at that.

    Raises:
        OSError: A file cannot be read (ssl.SSLError, a kind of OSError: it holds no matching certificate and key).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context
