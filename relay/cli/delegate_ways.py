"""How a delegate proves itself, in words; and whether each way is open now."""

from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.words.hashes import Htpasswd, read_htpasswd


def ways_of(delegate: DelegateSettings, settings: Settings) -> list[str]:
    """Name every way in that the settings give a delegate; the htpasswd file is looked into."""
    listed = _htpasswd(settings)
    ways = {
        "password_hash": delegate.password_hash,
        "password_file": delegate.password_file,
        "password_secret": delegate.password_secret,
        "htpasswd": delegate.name in listed.hashes,
        "client_certificate": delegate.client_certificates,
        "token": any(not each.names or delegate.name in each.names.values() for each in settings.delegates.oauth),
        "network": delegate.trusted_networks,
    }
    return [way for way, said in ways.items() if said]


def _htpasswd(settings: Settings) -> Htpasswd:
    """Read the file, as good as it is: what is wrong with it, the settings' check has told."""
    path = settings.delegates.htpasswd
    if path is None:
        return Htpasswd()
    try:
        return read_htpasswd(path.read_bytes().decode(errors="replace"))
    except OSError:
        return Htpasswd()
