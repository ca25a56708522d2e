"""What is told of a catalog makes the same catalog, and what has not changed is not told again."""

import random
from dataclasses import replace

import pytest

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.policy.document import Policy, parse_policy
from relay.words.arns import IdentityArn
from relay.workers.catalogs import Aged, Gathered, Part, Piece, Whole, differences
from relay.workers.wire import pickled, unpickled

HERE, THERE = ("888888888888", "us-east-1"), ("777777777777", "eu-west-1")
TEXT = '{"Version": "2012-10-17", "Statement": {"Effect": "%s", "Principal": "*", "Action": "ses:*", "Resource": "*"}}'
POLICIES = [parse_policy(effect, TEXT % effect) for effect in ("Allow", "Deny", "Perhaps")]


def identity(name: str, place: tuple[str, str] = HERE, **facts: object) -> Identity:
    account, region = place
    return replace(Identity(IdentityArn("aws", region, account, name), verified=True), **facts)  # type: ignore[arg-type]


def catalog(*identities: Identity, listed_at: float = 1.0, problem: str | None = None) -> Catalog:
    places = {(each.arn.account, each.arn.region) for each in identities}
    owners = {
        place: OwnedIdentities.of(
            [each for each in identities if (each.arn.account, each.arn.region) == place], listed_at
        )
        for place in sorted(places)
    }
    return Catalog(owners, problem)


def told(old: Catalog, new: Catalog) -> list[Piece]:
    return [unpickled(pickled(piece)) for piece in differences(old, new)]


def draw(chance: random.Random) -> Catalog:
    """Any catalog of a few identities, some of which differ in case only."""
    names = ["example.com", "Example.com", "a.example", "b.example", "ceo@example.com", "CEO@example.com"]
    found = [
        identity(
            name,
            place,
            verified=chance.random() < 0.8,
            read_at=chance.choice([0.0, 1.0, 2.0]),
            policies=tuple(chance.sample(POLICIES, chance.randrange(3))),
            problem=chance.choice([None, None, "away"]),
        )
        for place in (HERE, THERE)
        for name in chance.sample(names, chance.randrange(len(names)))
    ]
    return catalog(*found, listed_at=chance.random(), problem=chance.choice([None, "unknown"]))


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_same_there(seed: int) -> None:
    """Through any sequence of changes."""
    chance, gathered, before = random.Random(seed), Gathered(), Catalog()
    for _ in range(10):
        now = draw(chance)
        for piece in told(before, now):
            gathered.take(piece)
        assert gathered.catalog == now
        before = now


def test_one_change_is_told_alone() -> None:
    """Of a hundred thousand one is told, by its place and name."""
    many = [identity(f"domain{number}.example", policies=(POLICIES[0],)) for number in range(100_000)]
    old = catalog(*many)
    groups = dict(old.owners[HERE].by_folded_name)
    groups["domain7.example"] = (replace(many[7], policies=(POLICIES[1],)),)
    new = Catalog({HERE: replace(old.owners[HERE], by_folded_name=groups)})

    pieces = told(old, new)

    assert [type(piece) for piece in pieces] == [Part, Whole]
    assert isinstance(pieces[0], Part)
    assert list(pieces[0].groups) == ["domain7.example"]
    assert len(pickled(pieces)) < 10_000


def test_what_only_grew_older_is_told_without_its_policies() -> None:
    old = catalog(*(identity(f"d{number}.example", policies=(POLICIES[0],), read_at=1.0) for number in range(50)))
    new = catalog(*(identity(f"d{number}.example", policies=(POLICIES[0],), read_at=2.0) for number in range(50)))

    pieces = told(old, new)

    assert [type(piece) for piece in pieces] == [Aged, Whole]
    gathered = Gathered(old)
    for piece in pieces:
        gathered.take(piece)
    assert gathered.catalog == new


def test_half_of_a_telling_changes_nothing() -> None:
    """What is judged by is one whole, or the other."""
    old, new = catalog(identity("a.example")), catalog(identity("a.example", verified=False), identity("b.example"))
    gathered = Gathered(old)
    *parts, whole = told(old, new)
    for part in parts:
        gathered.take(part)

    assert gathered.catalog is old
    gathered.take(whole)
    assert gathered.catalog == new


def test_policies_judge_as_before() -> None:
    """They are compiled: what arrives is not their text."""
    assert unpickled(pickled(POLICIES)) == POLICIES
    assert isinstance(POLICIES[0], Policy)
