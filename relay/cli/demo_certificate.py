"""A certificate made on the spot, for the demo's loopback listener only."""

import shutil
import subprocess
from pathlib import Path

import click

_SUBJECT = "relay.demo.example"
_NAMES = f"subjectAltName=DNS:{_SUBJECT},DNS:localhost,IP:127.0.0.1"


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """
    Write ``certificate.pem`` and ``key.pem`` into *directory*, valid for a week, unless they are there already.

    Raises:
        click.ClickException: Neither the openssl command nor the package ``cryptography`` is there to make them.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if certificate.exists() and key.exists():
        return certificate, key
    openssl = shutil.which("openssl")
    if openssl is None:
        raise click.ClickException("the demo makes its certificate with the openssl command: apt-get install openssl")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    command += [
        "-days",
        "7",
        "-subj",
        f"/CN={_SUBJECT}",
        "-addext",
        _NAMES,
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words, no shell
    if made.returncode != 0:
        raise click.ClickException(f"openssl could not make a certificate: {made.stderr.strip()[-300:]}")
    key.chmod(0o600)
    return certificate, key
