"""What an identity is judged by is compared with what it was: every change once, and nothing that is none."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.owner.changes import Change, Ledger, Owner, Standing, entry_of, is_loss
from relay.owner.effects import effects
from relay.policy.document import parse_policy
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from tests.owner.test_effects import BILLING, like, statement

NOW = 1_790_000_000.0
HERE: Owner = ("888888888888", "us-east-1")
DELEGATES = (Delegate("billing", BILLING), Delegate("other", "arn:aws:iam::333333333333:user/other"))


def text(**values: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement(**like(**values))]})


INVOICES, NEWS = text(FromAddress="invoices*@example.com"), text(FromAddress="news@example.com")


def identity(name: str = "example.com", *, verified: bool = True, problem: str | None = None, **texts: str) -> Identity:
    policies = tuple(parse_policy(*each) for each in sorted(texts.items()))
    return Identity(IdentityArn("aws", HERE[1], HERE[0], name), verified, policies, NOW, problem)


def catalog(*identities: Identity, problem: str | None = None) -> Catalog:
    return Catalog({HERE: OwnedIdentities.of(identities, NOW, problem)})


def told(ledger: Ledger, seen: Catalog) -> list[tuple[str, tuple[str, ...]]]:
    return [(change.arn.name, change.kinds) for change in ledger.compare(seen) if change.is_told]


def known(changes: list[Change], before: Mapping[IdentityArn, Standing] | None = None) -> Ledger:
    """A ledger of the next run, from what the last one was told to keep."""
    kept = dict(before or {})
    for change in changes:
        if change.after is None:
            kept.pop(change.arn, None)
        else:
            kept[change.arn] = change.after
    return Ledger({HERE: kept})


def test_what_is_read_first_is_no_change():
    ledger = Ledger()
    (learnt,) = ledger.compare(catalog(identity(billing=INVOICES)))

    assert not learnt.is_told
    assert told(ledger, catalog(identity(billing=INVOICES))) == []


def test_each_kind_of_change():
    ledger = Ledger()
    ledger.compare(catalog(identity(billing=INVOICES, news=NEWS), identity("b.example")))
    steps = [
        (catalog(identity(billing=NEWS, news=NEWS), identity("b.example")), [("example.com", ("changed",))]),
        (catalog(identity(billing=NEWS), identity("b.example")), [("example.com", ("removed",))]),
        (catalog(identity(billing=NEWS, more=NEWS), identity("b.example")), [("example.com", ("added",))]),
        (catalog(identity(billing=NEWS, more=NEWS)), [("b.example", ("identity-removed",))]),
        (catalog(identity(verified=False)), [("example.com", ("unverified",))]),
        (catalog(identity(more=NEWS)), [("example.com", ("verified", "removed"))]),
        (catalog(identity(more=NEWS), identity("c.example", p=NEWS)), [("c.example", ("identity-added", "added"))]),
        (catalog(identity(more=NEWS), identity("c.example", p=NEWS)), []),
        (Catalog(), [("example.com", ("identity-removed", "removed")), ("c.example", ("identity-removed", "removed"))]),
    ]
    for seen, expected in steps:
        assert told(ledger, seen) == expected


def test_what_cannot_be_read_now_is_no_change():
    """An identity, a list, or all owners: what was known of them stands until they are read again."""
    ledger = Ledger()
    ledger.compare(catalog(identity(billing=INVOICES), identity("b.example")))
    for unread in (
        catalog(identity(problem="SES was away"), identity("b.example")),
        catalog(problem="SES was away"),
        Catalog(problem="the folder cannot be read"),
        catalog(identity(billing=INVOICES), identity("b.example")),
    ):
        assert told(ledger, unread) == []
    assert told(ledger, catalog(identity(problem="SES was away"))) == [("b.example", ("identity-removed",))]
    assert told(ledger, catalog(identity(billing=NEWS))) == [("example.com", ("changed",))]


def test_identities_of_a_list_are_read_one_after_the_other():
    """The first reading of what was listed first is no change; that of one that was listed later is."""
    ledger = Ledger()
    ledger.compare(catalog(identity(problem="not read yet")))
    assert told(ledger, catalog(identity(billing=INVOICES))) == []
    assert told(ledger, catalog(identity(billing=INVOICES), identity("b.example", problem="not read yet"))) == []
    assert told(ledger, catalog(identity(billing=INVOICES), identity("b.example", p=NEWS))) == [
        ("b.example", ("identity-added", "added"))
    ]


def test_what_changed_while_nobody_looked_is_seen_at_the_start():
    last = known(Ledger().compare(catalog(identity(billing=INVOICES), identity("b.example"))))

    changes = last.compare(catalog(identity(billing=NEWS), identity("c.example")))

    assert [(change.arn.name, change.kinds, change.is_first) for change in changes] == [
        ("b.example", ("identity-removed",), True),
        ("example.com", ("changed",), True),
        ("c.example", ("identity-added",), True),
    ]


def test_an_owner_without_identities_was_looked_at():
    assert told(Ledger({HERE: {}}), catalog(identity(billing=INVOICES))) == [
        ("example.com", ("identity-added", "added"))
    ]


def test_two_addresses_that_differ_in_case_only():
    ledger = Ledger()
    ledger.compare(catalog(identity("Ann@example.com"), identity("ann@example.com")))
    assert told(ledger, catalog(identity("ann@example.com"))) == [("Ann@example.com", ("identity-removed",))]


def test_who_gains_and_who_loses():
    ledger = Ledger()
    ledger.compare(catalog(identity(billing=INVOICES)))
    (change,) = ledger.compare(catalog(identity(billing=NEWS)))

    found = effects(*change.states({}), DELEGATES, NOW)
    entry = entry_of(change, "2026-11-21T09:00:00Z", found)

    assert change.digests() == frozenset()
    assert entry["effects"] == [
        {
            "delegate": "billing",
            "gained": ["From news@example.com"],
            "lost": ["From invoices*@example.com"],
            "unclear": [],
            "loses_everything": False,
        }
    ]
    assert entry["unaffected"] == 1
    assert is_loss(entry)
    assert [(each["name"], each["kind"]) for each in entry["policies"]] == [("billing", "changed")]


def test_who_loses_by_what_an_earlier_run_had_read():
    """The text of then is asked for by its digest; without it nobody can tell, and that is told."""
    last = known(Ledger().compare(catalog(identity(billing=INVOICES))))
    (change,) = last.compare(catalog(identity(verified=False)))
    (digest,) = change.digests()

    assert str(effects(*change.states({digest: INVOICES}), DELEGATES, NOW)[0]) == (
        "loses everything: From invoices*@example.com"
    )
    unknown = effects(*change.states({}), DELEGATES, NOW)[0]
    assert unknown.unclear
    assert not unknown.lost


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["-", "?", "p", "q"])), max_size=8))
@settings(max_examples=200)
def test_whatever_comes_the_ledger_of_the_next_run_agrees(rounds):
    """Changes alone carry what stands from run to run; and reading the same again is never a change."""
    kinds: dict[str, Any] = {
        "-": {"verified": False},
        "?": {"problem": "away"},
        "p": {"one": INVOICES},
        "q": {"one": NEWS},
    }
    ledger, kept = Ledger(), dict[IdentityArn, Standing]()
    for seen in rounds:
        here = catalog(*(identity(f"{name}.example", **kinds[kind]) for name, kind in seen.items()))
        for change in ledger.compare(here):
            if change.after is None:
                del kept[change.arn]
            else:
                kept[change.arn] = change.after
        again = catalog(*(identity(f"{name}.example", **kinds[kind]) for name, kind in seen.items()))
        assert ledger.compare(again) == []
        assert Ledger({HERE: kept}).compare(here) == []


class Untouched(tuple[Identity, ...]):
    """A group that may be passed over, and not looked into."""

    def __iter__(self) -> Iterator[Identity]:
        raise AssertionError("looked into")


def test_what_was_not_read_again_is_not_looked_into():
    """Of ten thousand identities the one that was read again costs something."""
    groups = {f"d{number}.example": (identity(f"d{number}.example", billing=INVOICES),) for number in range(100)}
    ledger = Ledger()
    ledger.compare(Catalog({HERE: OwnedIdentities(groups, NOW)}))
    rest: dict[str, tuple[Identity, ...]] = {name: Untouched(group) for name, group in groups.items()}
    ledger._catalog = Catalog({HERE: OwnedIdentities(rest, NOW)})

    news = {**rest, "d5.example": (identity("d5.example", billing=NEWS),)}
    news["d6.example"] = groups["d6.example"]
    rest["d5.example"], rest["d6.example"] = groups["d5.example"], groups["d6.example"]

    assert told(ledger, Catalog({HERE: OwnedIdentities(news, NOW)})) == [("d5.example", ("changed",))]
