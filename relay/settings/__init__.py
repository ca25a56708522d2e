"""relay.toml and the environment, read into Settings; every problem at once."""

from relay.settings.forms import HostPort
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Problem, Reading
from relay.settings.reading import read_settings

__all__ = ["DelegateSettings", "HostPort", "Problem", "Reading", "Settings", "read_settings"]
