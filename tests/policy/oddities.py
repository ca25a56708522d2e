"""
What in a policy or a request judges read differently: told from its text alone, so that neither judge is asked (but for
what ours cannot read).
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_network

from relay.policy.document import UnreadablePolicy, parse_document
from tests.policy.oracle import Case, Entry, entries, people, values

Asked = Callable[[Case], bool]


def any_entry(holds: Callable[[Entry], bool]) -> Asked:
    return lambda case: any(map(holds, entries(case)))


def family(*beginnings: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.operator.startswith(beginnings)


def any_text(of: Callable[[Entry], bool], is_so: Callable[[str], bool]) -> Asked:
    return any_entry(lambda entry: of(entry) and any(map(is_so, entry.texts)))


# --- texts ------------------------------------------------------------------------------------------------------------

PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_PLAIN_DATE = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?"
)
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
LONG_FRACTION = re.compile(r"T[0-9:]+\.[0-9]{7,}")
_PLAIN_IP = re.compile(r"[0-9a-f.:]+(/(0|[1-9][0-9]*))?")
LAST_SECOND = 253402300799


def is_long_number(text: str) -> bool:
    return bool(PLAIN_NUMBER.fullmatch(text)) and len(text.strip("-0").replace(".", "")) > 15


def is_odd_date(text: str) -> bool:
    """Neither a whole date (of a day that every month has), nor seconds that could be nothing else."""
    if text.isascii() and text.isdigit():
        return len(text) == 4
    return not (_PLAIN_DATE.fullmatch(text) or MONTH.fullmatch(text) or LONG_FRACTION.search(text))


def is_odd_address(text: str) -> bool:
    if _PLAIN_IP.fullmatch(text) is None:
        return True
    try:
        address = ip_network(text, strict=False).network_address
    except ValueError:
        return True
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def is_odd_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() != text
    except (binascii.Error, ValueError):
        return True


# --- patterns ---------------------------------------------------------------------------------------------------------


def _expression(pattern: str, any_one: str, any_run: str, last_run: str | None = None) -> str:
    """*pattern* as a regular expression; ``last_run`` is what a star at its end is."""
    made = [any_run if c == "*" else any_one if c == "?" else re.escape(c) for c in pattern]
    if last_run is not None and pattern.endswith("*"):
        made[-1] = last_run
    return "".join(made)


def _crosses(pattern: str, text: str, *, ends_run_on: bool) -> bool:
    """Whether *pattern* matches *text* only with a wildcard that runs over a colon where it may not."""
    head, tail = pattern.split(":")[:5], ":".join(pattern.split(":")[5:])
    tails = tail.split(":") if ends_run_on else []
    bounded = ":".join(_expression(one, "[^:]", "[^:]*", ".*" if ends_run_on else None) for one in head + tails)
    if not ends_run_on:
        bounded += ":" + _expression(tail, ".", ".*")
    freely = re.fullmatch(_expression(pattern, ".", ".*"), text, re.DOTALL)
    return freely is not None and re.fullmatch(bounded, text, re.DOTALL) is None


def _loose_resource(pattern: str, resource: str) -> bool:
    if pattern == "*":
        return False
    fields = pattern.split(":", 5)
    if len(fields) < 6 or set(fields[2]) & set("*?"):
        return True
    kind, slash, _ = fields[5].partition("/")
    if fields[2] in ("ses", "iam") and slash and set(kind) & set("*?"):
        return True
    return any("${" in one for one in fields[:5]) or _crosses(pattern, resource, ends_run_on=True)


def resource_doubts(case: Case) -> bool:
    return any(_loose_resource(pattern, case.resource) for pattern in values(case, "Resource", "NotResource"))


def arn_crosses(entry: Entry) -> bool:
    return family("arn")(entry) and any(
        _crosses(wanted, found, ends_run_on=False)
        for wanted in entry.wanted
        for found in entry.found or ()
        if wanted.count(":") >= 5 and found.count(":") >= 5
    )


# --- principals -------------------------------------------------------------------------------------------------------


def _account(arn: str) -> str:
    return arn.split(":")[4] if arn.count(":") >= 5 else ""


def _partition(arn: str) -> str:
    return arn.split(":")[1] if arn.count(":") >= 5 else ""


def other_partition(case: Case) -> bool:
    return any(
        _account(one) == _account(case.principal) != "" and _partition(one) != _partition(case.principal)
        for one in people(case)
    )


def other_case(case: Case) -> bool:
    named = [*people(case), *people(case, "Service")]
    return any(one != case.principal and one.lower() == case.principal.lower() for one in named)


def imprecise(case: Case) -> bool:
    """The caller is an account or a role, and somebody of it is named."""
    if case.principal.isdigit():
        return any(_account(one) == case.principal for one in people(case))
    role = case.principal.rpartition("/")[2] if ":role/" in case.principal else None
    return role is not None and any(
        f":assumed-role/{role}/" in one and _account(one) == _account(case.principal) for one in people(case)
    )


# --- policies ---------------------------------------------------------------------------------------------------------


def is_unreadable(case: Case) -> bool:
    return isinstance(parse_document("p", case.document), UnreadablePolicy)


def leaves_variables(case: Case) -> bool:
    """Of a case without its plain variables: whether some remain."""
    if not case.has_variables:
        return False
    texts: Iterable[str] = [*values(case, "Resource", "NotResource")]
    texts = [*texts, *(t for e in entries(case) if e.operator.startswith(("string", "arn")) for t in e.wanted)]
    return any("${" in text for text in texts)


def has_newline(case: Case) -> bool:
    return any("\n" in text for e in entries(case) for text in e.texts) or "\n" in case.action + case.resource
