"""
Hashes of the crypt family, as ``htpasswd`` and ``mkpasswd`` make them: bcrypt by its own library, SHA-crypt by libpass,
yescrypt by the C library, which has it where hashes of that form are made.

The libraries come with the extra ``htpasswd`` and are imported when the first such hash is checked.
"""

import ctypes
import secrets
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from relay.words.hashes import CryptForm, crypt_form

_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: bcrypt looks at no more of a password; those who made the hash cut it there, too.
_BCRYPT_OCTETS: Final = 72
#: crypt(3) takes no longer password, so no longer one ever made such a hash.
_CRYPT_OCTETS: Final = 511
#: sizeof(struct crypt_data) of libxcrypt, whose ABI fixes it.
_CRYPT_DATA: Final = 32768


class CannotCheck(Exception):
    """A password could not be checked; the text names no secret."""


def missing(form: CryptForm) -> str:
    """Say what has to be installed before hashes of this form can be checked; empty when nothing has to."""
    if form.kind == "yescrypt":
        return "" if _c_library() else "a C library with yescrypt (libcrypt.so.1); make a bcrypt hash instead"
    module = "bcrypt" if form.kind == "bcrypt" else "passlib"
    return "" if find_spec(module) else "the extra htpasswd: pip install 'ses-relay[htpasswd]'"


def verify_crypt(hashed: str, password: str) -> bool:
    """
    Check a password against a crypt hash. The comparison takes the same time wherever they differ.

    Raises:
        CannotCheck: No such hash, or what it needs is not installed.
    """
    form = crypt_form(hashed)
    if form is None:
        raise CannotCheck("no hash of a form that is taken")
    if wanted := missing(form):
        raise CannotCheck(f"it needs {wanted}")
    octets = password.encode("utf-8", "surrogatepass")
    if b"\0" in octets:
        return False  # C strings end there
    if form.kind == "bcrypt":
        return _bcrypt(hashed, octets)
    if form.kind == "yescrypt":
        return _yescrypt(hashed, octets)
    return _sha_crypt(form, hashed, octets)


def decoy_crypt(form: CryptForm) -> str:
    """Make a hash of this form and price that no password has."""
    if form.kind == "bcrypt":
        return f"$2b${form.parameter}${_letters(21)}.{_letters(30)}."
    if form.kind == "yescrypt":
        return f"$y${form.parameter}${_letters(21)}.${_letters(43)}"
    mark, length = ("5", 43) if form.kind == "sha256" else ("6", 86)
    return f"${mark}$rounds={form.parameter}${_letters(16)}${_letters(length)}"


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _bcrypt(hashed: str, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - of the extra

    return bcrypt.checkpw(password[:_BCRYPT_OCTETS], hashed.encode())


def _sha_crypt(form: CryptForm, hashed: str, password: bytes) -> bool:
    # not from passlib.hash, which replaces itself when imported: a second thread may find what it was before
    from passlib.handlers.sha2_crypt import sha256_crypt, sha512_crypt  # noqa: PLC0415 - of the extra

    scheme = sha256_crypt if form.kind == "sha256" else sha512_crypt
    return bool(scheme.verify(password, hashed))


def _yescrypt(hashed: str, password: bytes) -> bool:
    if len(password) > _CRYPT_OCTETS:
        return False
    data = ctypes.create_string_buffer(_CRYPT_DATA)
    made = _c_library().crypt_rn(password, hashed.encode(), data, _CRYPT_DATA)
    if made is None:
        raise CannotCheck("the C library does not take this hash")
    return secrets.compare_digest(made, hashed.encode())


@cache
def _c_library() -> Any:
    """Return libxcrypt; None where there is none, or one without yescrypt. A call of it lets other threads run."""
    try:
        library = ctypes.CDLL("libcrypt.so.1")
        library.crypt_rn.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        library.crypt_rn.restype = ctypes.c_char_p
        prefix = library.crypt_preferred_method
        prefix.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return None
    data = ctypes.create_string_buffer(_CRYPT_DATA)
    return library if library.crypt_rn(b"x", b"$y$j75$..", data, _CRYPT_DATA) else None
