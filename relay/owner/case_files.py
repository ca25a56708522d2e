"""Files of cases: JSON, TOML, and YAML where PyYAML is installed."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from relay.policy.strict_json import JsonProblem, decode, flaws

NO_YAML: Final = "YAML is read by PyYAML, which is not installed: pip install 'ses-relay[yaml]', or write JSON or TOML"


class CaseFileProblem(ValueError):
    """A file of cases cannot be read. ``str()`` names it and says why."""


def load(path: Path) -> object:
    """
    Return what *path* holds; its ending says how to read it: .json, .toml, .yaml or .yml.

    Raises:
        CaseFileProblem: It cannot be read.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise CaseFileProblem(f"{path}: {path.suffix or 'no'} ending: cases are .yaml, .yml, .json or .toml")
    try:
        return read(path.read_text(encoding="utf-8"))
    except CaseFileProblem:
        raise
    except OSError as error:
        raise CaseFileProblem(f"{path}: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise CaseFileProblem(f"{path}: not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise CaseFileProblem(f"{path}: {error}") from error


def _json(text: str) -> object:
    value = decode(text)
    for place, why in flaws(value, "$"):
        raise JsonProblem(f"{place}: {why}")
    return value


def _yaml(text: str) -> object:
    try:
        import yaml  # noqa: PLC0415  an extra
    except ImportError:
        raise CaseFileProblem(NO_YAML) from None
    try:
        if (repeated := _repeated_key(yaml.compose(text, yaml.SafeLoader))) is not None:
            raise ValueError(repeated)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _repeated_key(root: Any) -> str | None:
    """Find a key that stands twice in one table: PyYAML would take the last, and a test might not be what it seems."""
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        if not isinstance(getattr(node, "value", None), list) or id(node) in known:
            continue
        known.add(id(node))
        pairs = [child for child in node.value if isinstance(child, tuple)]
        keys = [str(key.value) for key, _ in pairs]
        if len(set(keys)) < len(keys):
            repeated = next(key for key in keys if keys.count(key) > 1)
            return f"the key {repeated!r} stands more than once in the table of line {node.start_mark.line + 1}"
        waiting += [value for _, value in pairs] or node.value
    return None


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    ".json": _json,
    ".toml": tomllib.loads,
    ".yaml": _yaml,
    ".yml": _yaml,
}
