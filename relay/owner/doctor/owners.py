"""The owners: whether their identities and policies can be read, and what is to be looked at next."""

from collections.abc import Iterator
from typing import Final

from relay.identities.accounts import AwsProblem, Refused
from relay.identities.names import partition_of
from relay.identities.ses_api import Listed, SesApi
from relay.owner.catalogs import identities_in
from relay.owner.doctor import iam
from relay.owner.doctor.findings import Finding, Key, Look, failing, not_checked, ok, warning
from relay.owner.doctor.identities import LEADS_TO, Visited, look_at_identity, missing
from relay.owner.doctor.policies import revocation_by_ses
from relay.owner.doctor.setup import Means, Owner, Setup
from relay.words.arns import ArnProblem, parse_identity_arn
from relay.words.values import dataclass

#: Identities that nobody named and that are looked at all the same: SES takes one call a second.
MOST_UNNAMED: Final = 20
_CHECK: Final = "owner.policies"


@dataclass(frozen=True, slots=True)
class _Desk:
    """One owner in one region."""

    setup: Setup
    means: Means
    owner: Owner
    region: str

    @property
    def about(self) -> str:
        return f"{self.owner.account} {self.region}"

    @property
    def is_needed(self) -> bool:
        """Whether the relay itself reads policies here."""
        return self.owner.source == "ses"


def look_at_owner(setup: Setup, means: Means, owner: Owner, region: str) -> Look:
    """Look at the identities of one owner in one region, which leads to a look at each that matters."""
    desk = _Desk(setup, means, owner, region)
    needs: list[Key] = [("credentials", "")]
    if owner.role_arn is not None and owner.source != "sealed":
        needs.append(("owner.role", owner.account))
    checks = (_CHECK, *(("policies.revocation",) if desk.is_needed else ()))
    after = (("policies.folder", ""),)
    return Look(checks, lambda: _findings(desk), desk.about, tuple(needs), after, LEADS_TO, "aws")


def named_arns(setup: Setup) -> tuple[str, ...]:
    """Return the ARNs that the settings of delegates name whose mail is sent as the relay."""
    own = [each for each in setup.delegates if each.role is None]
    return tuple(sorted({text for each in own for text in each.identities if text.startswith("arn:")}))


def _findings(desk: _Desk) -> Iterator[Finding | Look]:
    owner, caller = desk.owner, desk.means.known_caller()
    if owner.source == "sealed":
        yield not_checked(_CHECK, "sealed: the relay has no sight of its policies, SES alone judges", desk.about)
        return
    if owner.role_arn is None and owner.account != caller.account:
        yield _not_ours(desk)
        return
    api = SesApi(desk.means.owners, owner.account, desk.region)
    try:
        listed = {each.name: each for each in api.identities()}
        if listed:
            api.identity(next(iter(listed)))
    except AwsProblem as problem:
        yield _unread(desk, problem)
        return
    yield from _listed(desk, listed)
    yield from _looks(desk, api, listed)


def _not_ours(desk: _Desk) -> Finding:
    owner, caller = desk.owner, desk.means.known_caller()
    trust = iam.as_text(iam.trust(iam.lasting(caller.arn), None))
    needed = iam.as_text({"Version": "2012-10-17", "Statement": iam.reading(owner.account, desk.region)})
    fix = (
        f"Have account {owner.account} make a role, and name it in role_arn of its [[policies.owner]]. It trusts us:\n"
        f"{trust}\nand may read:\n{needed}"
    )
    why = f"the credentials are those of account {caller.account}, and no role_arn is set for this owner"
    if desk.is_needed:
        return failing(_CHECK, why, fix, desk.about)
    return not_checked(_CHECK, f"{why}; policies come from the folder, which needs none", desk.about)


def _unread(desk: _Desk, problem: AwsProblem) -> Finding:
    reader = desk.owner.role_arn or desk.means.known_caller().arn
    fix = "SES does not answer: see region and names."
    if isinstance(problem, Refused):
        fix = iam.added_to(reader, iam.reading(desk.owner.account, desk.region))
    if desk.is_needed:
        return failing(_CHECK, str(problem), fix, desk.about)
    return not_checked(_CHECK, f"{problem}; policies come from the folder, which needs none", desk.about, fix)


def _listed(desk: _Desk, listed: dict[str, Listed]) -> Iterator[Finding]:
    verified = sum(each.may_send for each in listed.values())
    if not listed:
        yield warning(_CHECK, "there is no identity", "ses-relay identity create NAME", desk.about)
    else:
        yield ok(
            _CHECK, f"{len(listed):,} identities, {verified:,} verified; one was read with its policies", desk.about
        )
    if desk.is_needed:
        named = len(_named(desk) & listed.keys())
        yield revocation_by_ses(desk.setup, verified, named, desk.about)


def _looks(desk: _Desk, api: SesApi, listed: dict[str, Listed]) -> Iterator[Finding | Look]:
    """Lead to the identities that matter: those named, then those with policies, then some of the rest."""
    named = _named(desk)
    unnamed = (
        [each.name for each in listed.values() if each.may_send and each.name not in named] if desk.is_needed else []
    )
    for name in sorted(named):
        arn = f"arn:{partition_of(desk.region)}:ses:{desk.region}:{desk.owner.account}:identity/{name}"
        if name in listed:
            yield look_at_identity(Visited(desk.setup, desk.means, api, arn, desk.is_needed))
        else:
            yield missing(arn, listed)
    for name in unnamed[:MOST_UNNAMED]:
        arn = f"arn:{partition_of(desk.region)}:ses:{desk.region}:{desk.owner.account}:identity/{name}"
        yield look_at_identity(Visited(desk.setup, desk.means, api, arn, desk.is_needed))
    if len(unnamed) > MOST_UNNAMED:
        left = len(unnamed) - MOST_UNNAMED
        why = f"{left:,} more that no delegate names: each takes a call, and SES takes one a second"
        yield not_checked("identity", why, desk.about, "ses-relay identity status NAME")


def _named(desk: _Desk) -> set[str]:
    """Name the identities here that delegates use: by their settings, and by the policies of the folder."""
    account, region = desk.owner.account, desk.region
    names = set()
    for delegate in desk.setup.delegates:
        for text in delegate.identities:
            try:
                arn = parse_identity_arn(text)
            except ArnProblem:
                if _account_of(delegate.delegate.principal) in {account, None}:  # by name: in its own account
                    names.add(text)
            else:
                if (arn.account, arn.region) == (account, region):
                    names.add(arn.name)
    for identity in identities_in(desk.means.folder) if desk.means.folder is not None else ():
        if (identity.arn.account, identity.arn.region) == (account, region):
            names.add(identity.arn.name)
    return names


def _account_of(principal: str) -> str | None:
    """Return the account of a principal that is an ARN or an account; None of another, or of whom STS must tell."""
    pieces = principal.split(":")
    return pieces[4] if len(pieces) > 5 else principal if principal.isdigit() else None
