"""The policies themselves: whether they can be read and judged by, what lint says, whom they let in, when they end."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Final

from relay.identities.files import PolicyFiles
from relay.identities.ports import Owner as Owned
from relay.identities.scan import read_folder
from relay.identities.ses_api import PAGE
from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.own_account import grants_of_account, living_in
from relay.owner.catalogs import identities_in
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.setup import Means, Setup
from relay.owner.folder import texts_in
from relay.policy.document import UnreadablePolicy
from relay.policy.lint import Finding as LintFinding
from relay.policy.lint import Severity, lint_identity
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.freshness import Terms

#: Identities of a folder whose policies are linted; more would keep everybody waiting.
MOST_LINTED: Final = 500
_SHOWN: Final = 3
_OF_FOLDER: Final = ("policies.folder", "policies.readable", "policies.lint")


def look_at_folder(setup: Setup, means: Means) -> Look:
    """Look at the folder of policies."""
    return Look(_OF_FOLDER, lambda: _folder(setup, means))


def _folder(setup: Setup, means: Means) -> Iterator[Finding]:
    root = setup.policies
    if root is None:
        return
    owners = [Owned(each.account, each.regions) for each in setup.owners if each.source == "directory"]
    try:
        scan = read_folder(root, owners, PolicyFiles(), means.now())
    except OSError as error:
        yield failing("policies.folder", f"{root}: {error.strerror or type(error).__name__}", "")
        yield from (not_checked(check, "the folder cannot be read") for check in _OF_FOLDER[1:])
        return
    catalog = means.folder = scan.catalog()
    identities = identities_in(catalog)
    yield from _layout(catalog, scan.notes, len(identities), str(root))
    yield from unreadable(identities)
    texts: dict[str, dict[str, str]] = {str(identity.arn): {} for identity in identities[:MOST_LINTED]}
    for text in texts_in(root, texts):
        texts[text.identity][text.name] = text.text
    by_arn = [(identity.arn, texts[str(identity.arn)]) for identity in identities[:MOST_LINTED]]
    left = len(identities) - len(by_arn)
    yield from linted(by_arn, means.now(), f"ses-relay policy lint {root}", left=left)


def _layout(catalog: Catalog, notes: Sequence[str], number: int, root: str) -> Iterator[Finding]:
    troubles = [catalog.problem, *(owned.problem for owned in catalog.owners.values())]
    wrong = [trouble for trouble in troubles if trouble is not None]
    yield from (failing("policies.folder", trouble, "") for trouble in wrong)
    fix = "Move it away, or name it as the layout wants."
    yield from (warning("policies.folder", note, fix) for note in notes[:_SHOWN])
    if len(notes) > _SHOWN:
        yield warning("policies.folder", f"{len(notes) - _SHOWN} more are passed over", "")
    if not number and not wrong:
        yield warning("policies.folder", f"{root} holds no identity: nobody may send", "")
    elif not wrong and not notes:
        yield ok("policies.folder", f"{root}: {number} identit{'y' if number == 1 else 'ies'}")


def unreadable(identities: Sequence[Identity], about: str = "") -> Iterator[Finding]:
    """Tell what of *identities* cannot be judged by, with the first place of each policy."""
    policies = [(each, policy) for each in identities for policy in each.policies]
    wrong = [(each.arn, policy) for each, policy in policies if isinstance(policy, UnreadablePolicy)]
    closed = [each for each in identities if each.problem is not None]
    for each in closed:
        fix = "Let the relay's user read it."
        yield failing("policies.readable", f"{each.arn}: {each.problem}", fix, about)
    for arn, policy in wrong:
        first = policy.problems[0]
        fix = f"Correct {first.path} in the policy {policy.name}; `ses-relay policy lint` says how."
        yield failing("policies.readable", f"{arn}, {policy.name} at {first.path}: {first.why}", fix, about)
    if not wrong and not closed:
        yield ok("policies.readable", f"{_policies(len(policies))}, none unreadable", about)


def linted(
    texts: Sequence[tuple[IdentityArn, Mapping[str, str]]], now: float, command: str, *, left: int = 0, about: str = ""
) -> Iterator[Finding]:
    """Tell what lint says of the policies of each identity; *command* shows the rest. *left*: identities more."""
    at = datetime.fromtimestamp(now, UTC)
    found = [(arn, each) for arn, policies in texts for each in lint_identity(policies, arn, at)]
    errors = [(arn, each) for arn, each in found if each.severity is Severity.ERROR]
    warnings = [(arn, each) for arn, each in found if each.severity is Severity.WARNING]
    yield from (failing("policies.lint", _lint_line(arn, each), each.fix, about) for arn, each in errors[:_SHOWN])
    if len(errors) > _SHOWN:
        yield failing("policies.lint", f"{len(errors) - _SHOWN} more errors", command, about)
    if warnings:
        arn, first = warnings[0]
        more = f"; and {len(warnings) - 1} more" if len(warnings) > 1 else ""
        yield warning("policies.lint", f"{_lint_line(arn, first)}{more}", f"{first.fix}\n{command}", about)
    number = sum(len(policies) for _, policies in texts)
    if not errors and not warnings:
        yield ok("policies.lint", f"{_policies(number)}, nothing wrong", about)
    if left:
        yield not_checked("policies.lint", f"{left:,} identities more", about, command)


def _lint_line(arn: IdentityArn, found: LintFinding) -> str:
    return f"{arn.name}, {found.policy} line {found.line}: {found.message} [{found.code}]"


def look_at_own_account(setup: Setup, means: Means) -> Look:
    """Look for policies in the folder that let all of the relay's own account in, where delegates live in it."""
    return Look(
        ("policies.own-account",),
        lambda: own_account(means.folder or Catalog(), means, [each.delegate for each in setup.delegates]),
        needs=(("credentials", ""), ("policies.folder", "")),
        asks="aws",
    )


def own_account(catalog: Catalog, means: Means, delegates: Sequence[Delegate], about: str = "") -> Iterator[Finding]:
    """Tell of statements of *catalog* that grant the caller's account."""
    check, account = "policies.own-account", means.known_caller().account
    inhabitants = ", ".join(living_in(account, delegates))
    if not inhabitants:
        yield ok(check, f"no delegate lives in account {account}", about)
        return
    granting = list(grants_of_account(catalog, account))
    for arn, statement in granting:
        told = f"{statement} of {arn} grants account {account}, where {inhabitants} live"
        yield warning(check, told, "", about)
    if not granting:
        yield ok(check, f"none grants account {account}, where {inhabitants} live", about)


def alone(identity: Identity) -> Catalog:
    """Return a catalog of one identity."""
    place = (identity.arn.account, identity.arn.region)
    return Catalog({place: OwnedIdentities.of([identity], identity.read_at)})


def revocation_by_folder(setup: Setup) -> Finding:
    """Say when a withdrawn permission ends where policies are files."""
    return ok("policies.revocation", f"{setup.refresh_interval:g} s after the file changed")


def revocation_by_ses(setup: Setup, listed: int, named: int, about: str) -> Finding:
    """
    Say when a withdrawn permission ends where SES is asked.

    *listed*: verified identities of the place, any of which may be in use; *named*: those that the settings name.
    """
    check, terms = "policies.revocation", Terms(setup.refresh_interval, setup.max_stale, setup.api_rate)
    pages = max(1, ceil(listed / PAGE))
    surely, perhaps = (terms.revocation(number, pages=pages) for number in (named, listed))
    told = f"{surely:.0f} s with the {named} named identities in use, {perhaps:.0f} s with all {listed:,} verified"
    if surely > setup.max_stale:
        return failing(check, f"{told}; policies.max_stale is {setup.max_stale:g} s", "", about)
    if perhaps > setup.refresh_interval:
        return warning(check, f"{told}; policies.refresh_interval is {setup.refresh_interval:g} s", "", about)
    return ok(check, f"{perhaps:.0f} s, whichever of the {listed:,} verified identities are in use", about)


def _policies(number: int) -> str:
    return f"{number:,} polic{'y' if number == 1 else 'ies'}"
