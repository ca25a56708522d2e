"""What the settings name on disk: that it is there, can be read, and is nobody else's to read."""

import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.settings.forms import is_argon2
from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Finding

_LONGEST_SECRET: Final = 4096
_SHORTEST_TOKEN: Final = 16


def look_at_files(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with the files that *settings* name. Contents are read, and never quoted."""
    for index, delegate in enumerate(settings.delegate):
        yield from _password(("delegate", index, "password_file"), delegate)
    if settings.admin.token_file is not None:
        yield from _token(("admin", "token_file"), settings.admin.token_file)
    yield from _tls(settings)
    if settings.policies.source == "directory" and settings.policies.directory is not None:
        yield from _policies(settings, settings.policies.directory)


def _password(path: KeyPath, delegate: DelegateSettings) -> Iterator[Finding]:
    if delegate.password_file is None:
        return
    text = _secret(delegate.password_file)
    if isinstance(text, OSError):
        yield Finding(path, _why_not(text))
        return
    yield from _open_to_others(path, delegate.password_file)
    if not text:
        yield Finding(path, "the file is empty: it holds the password, or its argon2 hash")
    elif text.startswith("$argon2") and not is_argon2(text):
        yield Finding(path, "the file begins like an argon2 hash and is none: make one with `ses-relay delegate hash`")


def _token(path: KeyPath, file: Path) -> Iterator[Finding]:
    text = _secret(file)
    if isinstance(text, OSError):
        yield Finding(path, _why_not(text))
        return
    yield from _open_to_others(path, file)
    if not text:
        yield Finding(path, "the file is empty: it holds the bearer token")
    elif len(text) < _SHORTEST_TOKEN:
        yield Finding(path, f"a token of less than {_SHORTEST_TOKEN} characters is soon guessed", is_warning=True)


def _tls(settings: Settings) -> Iterator[Finding]:
    certificate, key = settings.tls.certificate, settings.tls.key
    wrong = False
    for name, file in (("certificate", certificate), ("key", key)):
        text = _secret(file) if file else ""
        if isinstance(text, OSError):
            wrong = True
            yield Finding(("tls", name), _why_not(text))
    if key and not wrong:
        yield from _open_to_others(("tls", "key"), key)
    if certificate and key and not wrong:
        try:
            # the password is asked of nobody: a daemon has no terminal
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
        except (ssl.SSLError, ValueError, OSError) as error:
            mismatch = "KEY_VALUES_MISMATCH" in str(error)
            why = (
                "belongs to another certificate" if mismatch else "certificate and key are not PEM without a passphrase"
            )
            yield Finding(("tls", "key"), why, reads=(("tls", "certificate"),))


def _policies(settings: Settings, directory: Path) -> Iterator[Finding]:
    path: KeyPath = ("policies", "directory")
    try:
        accounts = {entry.name for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    except OSError as error:
        yield Finding(path, f"{directory}: {_why_not(error)}")
        return
    if not accounts:
        yield Finding(path, f"{directory} holds no ACCOUNT/REGION/IDENTITY folder: nobody may send", is_warning=True)
    for index, owner in enumerate(settings.policies.owner):
        if owner.is_sealed:
            continue
        for folder in [directory / owner.account / region for region in owner.regions or ("",)]:
            if not folder.is_dir():
                why = f"there is no folder {folder}: no identity of it is known"
                reads: tuple[KeyPath, ...] = (path, ("policies", "owner", index))
                yield Finding(("policies", "owner", index, "account"), why, reads=reads, is_warning=True)


def _secret(file: Path) -> str | OSError:
    """Read a secret's first octets without its final newline; octets that are no UTF-8 are kept apart, not refused."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST_SECRET).decode(errors="surrogateescape").rstrip("\r\n")
    except ValueError:  # a name that no file can have
        return OSError(2, "no such file")
    except OSError as error:
        return error


def _why_not(error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return "it is a folder, and a file is wanted"
    if isinstance(error, NotADirectoryError):
        return "it is a file, and a folder is wanted"
    if isinstance(error, FileNotFoundError):
        return "it is not there; a relative path starts at the folder of the file that names it"
    return f"it cannot be read: {error.strerror or type(error).__name__}"


def _open_to_others(path: KeyPath, file: Path) -> Iterator[Finding]:
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IROTH:
        why = f"every user of this machine can read it (mode {stat.S_IMODE(mode):04o}): chmod o-r"
        yield Finding(path, why, is_warning=True)
