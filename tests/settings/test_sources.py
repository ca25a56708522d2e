"""Where the policies of each owner come from: settings into directories."""

from pathlib import Path
from typing import Any

import pytest

from relay.identities.folder import FolderDirectory
from relay.identities.nothing import NoDirectory
from relay.identities.ses_directory import SesDirectory
from relay.identities.several import SeveralDirectories, parts_of
from relay.settings import read_settings
from relay.translation import directory_of, places_of, snapshot_of, terms_of
from tests.settings.conftest import completed, good

EIGHT = '[[policies.owner]]\naccount = "888888888888"\nregions = ["us-east-1"]\n'
NINE = '[[policies.owner]]\naccount = "999999999999"\nregions = ["us-east-1", "eu-west-1"]\n'
FOLDER = 'directory = "files/policies"\n'


def made(folder: Path, text: str) -> Any:
    path = folder / "relay.toml"
    path.write_text(completed(text))
    return good(read_settings(path, {}))


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (f"[policies]\n{EIGHT}", [SesDirectory]),
        (f'[policies]\nsource = "ses"\n{EIGHT}{NINE}', [SesDirectory]),
        (f'[policies]\nsource = "directory"\n{FOLDER}', [FolderDirectory]),
        (f'[policies]\nsource = "directory"\n{FOLDER}{EIGHT}', [FolderDirectory]),
        (f'[policies]\nsource = "directory"\n{FOLDER}{EIGHT}{NINE}source = "ses"\n', [FolderDirectory, SesDirectory]),
        (f'[policies]\n{FOLDER}{EIGHT}source = "directory"\n{NINE}', [FolderDirectory, SesDirectory]),
        (f'[policies]\nsource = "directory"\n{FOLDER}{NINE}source = "ses"\n', [SesDirectory]),
    ],
)
def test_each_owner_is_read_where_the_settings_say(folder, text, sources):
    directory = directory_of(made(folder, text), lambda _event: None)

    assert [type(part) for part in parts_of(directory)] == sources
    assert isinstance(directory, SeveralDirectories) is (len(sources) > 1)


def test_sealed_owners_are_not_read(folder):
    delegate = '\n[[delegate]]\nname = "billing"\nprincipal = "caller"\npassword_file = "files/password"\n'
    settings = made(folder, f'[policies]\n{EIGHT}source = "sealed"\n{delegate}')

    assert isinstance(directory_of(settings, lambda _event: None), NoDirectory)


def test_an_owner_without_regions_is_asked_in_the_relays_own(folder):
    settings = made(
        folder, f'[policies]\n{NINE}[[policies.owner]]\naccount = "111111111111"\n\n[ses]\nregion = "ap-south-1"\n'
    )

    assert places_of(settings) == [
        ("999999999999", "us-east-1"),
        ("999999999999", "eu-west-1"),
        ("111111111111", "ap-south-1"),
    ]


def test_terms_and_snapshot_are_those_of_the_settings(folder):
    text = f'[policies]\nsnapshot = "files/known.json"\nmax_stale = "2h"\n{EIGHT}'
    settings = made(folder, text)
    terms, snapshot = terms_of(settings), snapshot_of(settings)

    assert (terms.refresh_interval, terms.max_stale, terms.budget) == (60.0, 7200.0, 0.5)
    assert snapshot is not None
    assert (snapshot.path, snapshot.endpoint) == (folder / "files" / "known.json", "aws")


def test_a_change_of_settings_hands_on_what_is_known(folder):
    """Beside a folder that comes new, too."""
    before = directory_of(made(folder, f"[policies]\n{EIGHT}"), lambda _event: None)
    mixed = made(folder, f'[policies]\nrefresh_interval = "30s"\n{FOLDER}{EIGHT}{NINE}source = "directory"\n')
    after = directory_of(mixed, lambda _event: None, before=before)
    _, ses = parts_of(after)

    assert isinstance(before, SesDirectory)
    assert isinstance(ses, SesDirectory)
    older, newer = before.place("888888888888", "us-east-1"), ses.place("888888888888", "us-east-1")
    assert older is not None
    assert newer is not None
    assert newer.shelf is older.shelf
    assert newer.rounds.terms.refresh_interval == 30
