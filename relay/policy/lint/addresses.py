"""Values that shall be mail addresses, or patterns of some: such as can be, and such as the identity is for."""

import re
from collections.abc import Iterator
from dataclasses import replace

from relay.policy.lint.coverage import atoms_of, covers
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import find_key
from relay.policy.lint.values import MOST_VALUES, regex_in
from relay.policy.lint.views import Entry, PolicyView, Spelled
from relay.policy.lint.wording import quoted
from relay.policy.operators import Operator
from relay.words.addresses import AddressProblem, parse_address
from relay.words.arns import IdentityArn


def check_addresses(view: PolicyView, identity: IdentityArn | None) -> Iterator[Remark]:
    """The values under keys that hold addresses. *identity*: whose policy it is, None when that is not known."""
    for statement in view.statements:
        # The identity of bounces is asked about authors who are anybody's.
        own = None if statement.of_key("ses:feedbackaddress") else identity
        for entry in statement.entries:
            key, operator = find_key(entry.spelled_key), entry.operator
            if key is not None and key.kind == "address" and operator is not None:
                for value in entry.values if operator.family in ("string", "string-ignoring-case", "like") else ():
                    yield from _one(value, entry, operator, own)


def _one(value: Spelled, entry: Entry, operator: Operator, own: IdentityArn | None) -> Iterator[Remark]:
    text, is_of_author = value.text, entry.key == "ses:fromaddress"
    local, at, domain = text.rpartition("@")
    if "${" in text or '"' in text or (operator.family == "like" and regex_in(text, "address") is not None):
        return  # variables and quotes hide what it is, or it is another fault already
    if set("<> ,") & set(text) or (not at and not _is_open(text, operator)) or (at and not (local and domain)):
        message = f"{entry.spelled_key} holds a bare address; none is {quoted(text)}."
        yield Remark("not-an-address", value.path, message, _better(text))
    elif at and operator.family != "string-ignoring-case" and domain != domain.lower():
        lowered = f"{local}@{domain.lower()}"
        if not (is_of_author and _has(entry, replace(value, text=lowered))):
            message = f"Case counts, and the relay has domains in lower case: {quoted(domain)} is not met there."
            yield Remark("upper-case-domain", value.path, message, f"Write {lowered}.")
    elif own is not None and at and is_of_author and not operator.negated and not _is_of(own, text, operator):
        message = f"The identity {own.name} does not cover {quoted(text)}."
        yield Remark("address-outside-identity", value.path, message)


def _has(entry: Entry, value: Spelled) -> bool:
    """Whether *entry* lets *value* pass too, by itself or under a pattern."""
    wanted, known = atoms_of(entry, (value,)), atoms_of(entry)
    return bool(wanted) and any(covers(atom, wanted[0]) for atom in known[:MOST_VALUES])


def _is_open(text: str, operator: Operator) -> bool:
    return operator.family == "like" and bool(set("*?") & set(text))


def _is_of(identity: IdentityArn, text: str, operator: Operator) -> bool:
    """Whether mail from *text* could be asked of *identity*; where wildcards leave it open, it could."""
    own, domain = identity.name.rpartition("@")[2].lower(), text.rpartition("@")[2].lower()
    if _is_open(text, operator):
        is_below = not identity.is_address and domain.endswith(f".{own}")
        return domain == own or is_below or bool(set("*?") & set(domain))
    try:
        return identity.covers(parse_address(text))
    except AddressProblem:
        return True


def _better(text: str) -> str | None:
    """What to write for the usual ways to miss an address."""
    inside = re.search(r"<([^<>\s]+@[^<>\s]+)>", text)
    if inside:
        return f"Write {inside[1]}; the name is ses:FromDisplayName."
    if text.startswith("@"):
        return f"Write *{text} under StringLike."
    return f"Write *@{text} under StringLike." if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text) else None
