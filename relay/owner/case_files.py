"""Files of cases: JSON, TOML, and YAML where PyYAML is installed."""

import tomllib
from pathlib import Path
from typing import Final

from relay.policy.strict_json import JsonProblem, decode

NO_YAML: Final = "YAML is read by PyYAML, which is not installed: pip install 'ses-relay[yaml]', or write JSON or TOML"


class CaseFileProblem(ValueError):
    """A file of cases cannot be read. ``str()`` names it and says why."""


def load(path: Path) -> object:
    """
    Return what *path* holds; its ending says how to read it: .json, .toml, .yaml or .yml.

    Raises:
        CaseFileProblem: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        match path.suffix.lower():
            case ".json":
                return decode(text)
            case ".toml":
                return tomllib.loads(text)
            case ".yaml" | ".yml":
                return _yaml(text)
            case ending:
                raise CaseFileProblem(f"{path}: {ending or 'no'} ending: cases are .yaml, .yml, .json or .toml")
    except OSError as error:
        raise CaseFileProblem(f"{path}: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise CaseFileProblem(f"{path}: not UTF-8 at byte {error.start}") from error
    except (JsonProblem, tomllib.TOMLDecodeError) as error:
        raise CaseFileProblem(f"{path}: {error}") from error


def _yaml(text: str) -> object:
    try:
        import yaml  # noqa: PLC0415  an extra
    except ImportError:
        raise CaseFileProblem(NO_YAML) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CaseFileProblem(" ".join(str(error).split())) from error
