"""What the settings name on disk: that it is there, can be read, and is nobody else's to read."""

import os
import ssl
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Finding
from relay.settings.proofs import knows_without_auth
from relay.words.hashes import MOST_PASSWORDS, Htpasswd, crypt_form, is_argon2, read_htpasswd

_LONGEST_SECRET: Final = 4096
_SHORTEST_TOKEN: Final = 16
_LARGEST_HTPASSWD: Final = 1 << 20


def look_at_files(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with the files that *settings* name. Contents are read, and never quoted."""
    for index, delegate in enumerate(settings.delegate):
        yield from _password(("delegate", index, "password_file"), delegate)
    yield from _tokens(settings)
    if settings.delegates.htpasswd is not None:
        yield from _htpasswd(("delegates", "htpasswd"), settings.delegates.htpasswd, settings)
    yield from _tls(settings)
    yield from _authorities(settings)
    if settings.policies.reads_folder and settings.policies.directory is not None:
        yield from _policies(settings, settings.policies.directory)
    if settings.policies.snapshot is not None and not can_be_written(settings.policies.snapshot.parent):
        why = f"{settings.policies.snapshot.parent} cannot be written: nothing is kept over a restart"
        yield Finding(("policies", "snapshot"), why, is_warning=True)


def can_be_written(folder: Path) -> bool:
    """Whether *folder* is there and files can be made in it."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _password(path: KeyPath, delegate: DelegateSettings) -> Iterator[Finding]:
    if delegate.password_file is None:
        return
    text = _secret(delegate.password_file)
    if isinstance(text, OSError):
        yield Finding(path, _why_not(text))
        return
    yield from _open_to_others(path, delegate.password_file)
    if any("\udc80" <= character <= "\udcff" for character in text):
        yield Finding(path, "no UTF-8 text: octets that nobody can type are no password")
        return
    lines = [line for line in text.splitlines() if line]
    if not lines:
        yield Finding(path, "the file is empty: it holds the password, or its argon2 hash")
    if len(lines) > MOST_PASSWORDS:
        yield Finding(
            path, f"the file has {len(lines)} lines, each a password; at most {MOST_PASSWORDS} are right at once"
        )
    if any(line.startswith("$argon2") and not is_argon2(line) for line in lines):
        yield Finding(path, "the file begins like an argon2 hash and is none: make one with `ses-relay delegate hash`")


def _htpasswd(path: KeyPath, file: Path, settings: Settings) -> Iterator[Finding]:
    text = _secret(file, longest=_LARGEST_HTPASSWD + 1)
    if isinstance(text, OSError):
        yield Finding(path, _why_not(text))
        return
    yield from _open_to_others(path, file)
    if len(text) > _LARGEST_HTPASSWD:
        yield Finding(path, "the file is larger than 1MiB")
        return
    read = read_htpasswd(text)
    for problem in read.problems:
        yield Finding(path, f"{file.name} {problem}")
    forms = {form.kind for hashes in read.hashes.values() for form in map(crypt_form, hashes) if form}
    if (forms - {"yescrypt"}) and not (find_spec("bcrypt") and find_spec("passlib")):
        yield Finding(path, "it needs the extra htpasswd: pip install 'ses-relay[htpasswd]'")
    yield from _names(path, read, settings)


def _names(path: KeyPath, read: Htpasswd, settings: Settings) -> Iterator[Finding]:
    """Find names that are no delegate's, and delegates that have no name there and no other way in."""
    known = {delegate.name for delegate in settings.delegate}
    unknown = len(read.hashes.keys() - known)
    if unknown:
        verb = "name is no delegate's" if unknown == 1 else "names are no delegates'"
        yield Finding(path, f"{unknown} {verb}: nobody can be them", reads=(("delegate",),), is_warning=True)
    for index, delegate in enumerate(settings.delegate):
        passwords = (delegate.password_hash, delegate.password_file, delegate.password_secret)
        if any(passwords) or knows_without_auth(delegate) or settings.delegates.oauth or delegate.name in read.hashes:
            continue
        why = "no way to identify it: the htpasswd file has no such name, and nothing else is set"
        yield Finding(("delegate", index), why, reads=(path,), is_warning=True)


def _tokens(settings: Settings) -> Iterator[Finding]:
    files: list[tuple[KeyPath, Path | None]] = [(("admin", "token_file"), settings.admin.token_file)]
    files += [(("admin", "token", index, "file"), each.file) for index, each in enumerate(settings.admin.token)]
    earlier: dict[str, KeyPath] = {}
    for path, file in files:
        if file is None:
            continue
        yield from _token(path, file)
        text = _secret(file)
        if isinstance(text, OSError) or not text:
            continue
        first = earlier.setdefault(text.strip(), path)
        if first != path:
            yield Finding(path, "the same token as another: nobody could tell who asks", reads=(first,))


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
            yield Finding(("tls", "key"), _why_no_pair(error), reads=(("tls", "certificate"),))


def _why_no_pair(error: Exception) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    if reason == "KEY_VALUES_MISMATCH":
        return "belongs to another certificate"
    if not reason:  # OpenSSL could not read one of the files
        return "certificate and key are not PEM without a passphrase"
    return f"OpenSSL takes no such certificate and key: {reason.lower().replace('_', ' ')}"


def _authorities(settings: Settings) -> Iterator[Finding]:
    """Look at the files of certificates that sign others."""
    files: list[tuple[KeyPath, Path | None]] = [(("tls", "client_ca"), settings.tls.client_ca)]
    files += [(("delegates", "oauth", index, "ca"), each.ca) for index, each in enumerate(settings.delegates.oauth)]
    for path, file in files:
        if file is None:
            continue
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(file)
        except ssl.SSLError:
            yield Finding(path, "no certificates in PEM")
        except OSError as error:
            yield Finding(path, _why_not(error))


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
        if settings.policies.source_of(owner) != "directory":
            continue
        for folder in [directory / owner.account / region for region in owner.regions or ("",)]:
            if not folder.is_dir():
                why = f"there is no folder {folder}: no identity of it is known"
                reads: tuple[KeyPath, ...] = (path, ("policies", "owner", index))
                yield Finding(("policies", "owner", index, "account"), why, reads=reads, is_warning=True)


def _secret(file: Path, *, longest: int = _LONGEST_SECRET) -> str | OSError:
    """Read a secret's first octets without its final newline; octets that are no UTF-8 are kept apart, not refused."""
    try:
        with file.open("rb") as opened:
            return opened.read(longest).decode(errors="surrogateescape").rstrip("\r\n")
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
