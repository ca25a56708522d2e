"""relay.toml and the environment, read into Settings: every problem at once, each with its place."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from relay.settings.aws import DEFAULT_SPOOL
from relay.settings.contradictions import contradictions
from relay.settings.door import RECIPIENTS_WITH_SPOOL
from relay.settings.environment import overlay
from relay.settings.files import can_be_written, look_at_files
from relay.settings.keys import KeyPath
from relay.settings.lines import lines_of
from relay.settings.model import Settings
from relay.settings.problems import Finding, Origin, Problem, Reading, Written, value_at
from relay.settings.validation import resolve_paths, validate
from relay.words.patterns import on_demand

_PLACE: Final = on_demand(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read_settings(path: Path | None, environ: Mapping[str, str]) -> Reading:
    """
    Read *path*, put the environment over it, and check all of it.

    Args:
        path: The TOML file; None for the environment alone.
        environ: As :data:`os.environ`; only ``SES_RELAY__`` variables are looked at.

    The files that the settings name are looked at too. Nothing is raised for what people wrote.
    """
    written = Written()
    if path is not None:
        values = _parse(path)
        if isinstance(values, Problem):
            return Reading(None, (values,))
        written.values, lines = values
        written.origins = {key: Origin(line) for key, line in lines.items()}
        resolve_paths(written.values, Settings, path.absolute().parent)
    overlay(written, environ)
    _add_further_delegates(written)
    return _check(written)


def _parse(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]] | Problem:
    """Read one TOML file and the lines of its keys. A syntax error ends the reading: what follows it means nothing."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        return Problem(path.name, None, f"cannot be read: {error.strerror}")
    except ValueError as error:
        return Problem(path.name, None, f"no UTF-8 text: {getattr(error, 'reason', 'not a file name')}")
    if text.startswith("\ufeff"):
        return Problem(path.name, 1, "begins with a byte order mark: save it as UTF-8 without one")
    try:
        return tomllib.loads(text), lines_of(text)
    except RecursionError:
        return Problem(path.name, None, "arrays or tables are nested too deeply")
    except ValueError as error:
        why = _PLACE.sub("", str(error))
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        return Problem(path.name, line, f"no TOML: {why[:1].lower()}{why[1:]}")


def _add_further_delegates(written: Written) -> None:
    """Put the delegates of ``delegates.file`` behind those of the settings."""
    named: KeyPath = ("delegates", "file")
    file, ours = value_at(written.values, named), written.values.setdefault("delegate", [])
    if not isinstance(file, str) or not isinstance(ours, list):
        return
    read = _parse(Path(file))
    if isinstance(read, Problem):
        where = f"{read.path} line {read.line}" if read.line else read.path
        written.findings.append(Finding(named, f"{where}: {read.why}"))
        return
    values, lines = read
    theirs = values.pop("delegate", [])
    for name in values:
        line = lines.get((name,), 1)
        why = f"{Path(file).name} line {line}: {name} has no place there, only [[delegate]]"
        written.findings.append(Finding(named, why))
    if not isinstance(theirs, list):
        written.findings.append(Finding(named, f"{Path(file).name}: write [[delegate]], in two brackets"))
        return
    resolve_paths({"delegate": theirs}, Settings, Path(file).parent)
    written.shift = len(ours)
    ours += theirs
    for key, line in lines.items():
        match key:
            case ("delegate", int() as index, *rest):
                merged: KeyPath = ("delegate", index + written.shift, *rest)
                written.origins[merged] = Origin(line, Path(file).name)


def _check(written: Written) -> Reading:
    settings, findings = validate(written.values)
    findings = written.findings + findings
    broken = [finding.path for finding in findings]
    if settings is not None:
        settings = _settled(settings)
        further = (*contradictions(settings, written), *look_at_files(settings))
        findings += [finding for finding in further if not _follows_from(finding, broken)]
    problems = _placed(written, (finding for finding in findings if not finding.is_warning))
    warnings = _placed(written, (finding for finding in findings if finding.is_warning))
    return Reading(None if problems else settings, problems, warnings)


def _settled(settings: Settings) -> Settings:
    """Choose what depends on other keys where nothing was said: TLS by its certificate, the rest by the spool."""
    update: dict[str, Any] = {}
    if settings.tls.certificate and settings.tls.key:
        update["listener"] = tuple(
            listener if "tls" in listener.model_fields_set else listener.model_copy(update={"tls": "starttls"})
            for listener in settings.listener
        )
    is_asked_for = "mode" in settings.delivery.model_fields_set or settings.spool.url is not None
    if not is_asked_for and not can_be_written(DEFAULT_SPOOL.parent):
        update["delivery"] = settings.delivery.model_copy(update={"mode": "direct"})
    delivery = update.get("delivery", settings.delivery)
    if "recipients" not in settings.limits.model_fields_set and delivery.mode != "direct":
        update["limits"] = settings.limits.model_copy(update={"recipients": RECIPIENTS_WITH_SPOOL})
    return settings.model_copy(update=update)


def _follows_from(finding: Finding, broken: Iterable[KeyPath]) -> bool:
    """Whether a finding is only the echo of a mistake that is already told."""
    return any(
        finding.path[: len(path)] == path
        or any(read[: len(path)] == path or path[: len(read)] == read for read in finding.reads)
        for path in broken
    )


def _placed(written: Written, findings: Iterable[Finding]) -> tuple[Problem, ...]:
    placed = {written.problem(finding) for finding in findings}
    return tuple(
        sorted(placed, key=lambda problem: (problem.source or "", problem.line or 0, problem.path, problem.why))
    )
