"""A certificate made on the spot, for the demo's loopback listener only."""

import shutil
import subprocess
from pathlib import Path

import click

_SUBJECT = "relay.demo.example"
_NAMES = f"subjectAltName=DNS:{_SUBJECT},DNS:localhost,IP:127.0.0.1"


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """
    Write ``certificate.pem`` and ``key.pem`` into *directory*, valid for a week, unless good ones are there already.

    Raises:
        click.ClickException: There is no openssl command to make them, or it failed.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        raise click.ClickException("the demo makes its certificate with the openssl command: apt-get install openssl")
    if key.exists() and _is_good(openssl, certificate):
        return certificate, key
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(key)]
    subject = ["-days", "7", "-subj", f"/CN={_SUBJECT}", "-addext", _NAMES]
    made = _run([openssl, "req", "-x509", *new, *subject, "-out", str(certificate)])
    if made.returncode != 0:
        raise click.ClickException(f"openssl could not make a certificate: {made.stderr.strip()[-300:]}")
    key.chmod(0o600)
    return certificate, key


def _is_good(openssl: str, certificate: Path) -> bool:
    """Whether the certificate is there and valid for another hour."""
    looked = [openssl, "x509", "-in", str(certificate), "-noout", "-checkend", "3600"]
    return certificate.exists() and _run(looked).returncode == 0


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words, no shell
