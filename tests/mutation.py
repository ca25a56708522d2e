"""
Judges mutants quickly (``make mutate``): a pytest plugin, run in the folder that mutmut made.

mutmut starts the suite anew for every mutant, and hands it a thousand names of tests; here it is collected once, and
every mutant is a fork of it that ends at the first test that fails. The verdicts are written where mutmut keeps them:
``mutmut results``, ``show`` and ``browse`` read them.
"""

import fnmatch
import functools
import gc
import json
import os
import resource
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol  # what plugins that fork tests take
from hypothesis import settings

#: Names of mutants, with wildcards: ``relay.policy.wildcards.*``. Unset: the plugin only forgets what was cached.
WANTED = "MUTANTS_TO_JUDGE"
UNDER_TEST = "MUTANT_UNDER_TEST"

#: mutmut's exit codes.
KILLED, SURVIVED, NO_TESTS, TIMED_OUT = 1, 0, 33, 36
#: Of CPU, for one test; of memory, for all.
MOST_SECONDS, MOST_OCTETS = 15, 2 << 30

CACHED = type(functools.lru_cache(len))


#: Of the tests, not of the code.
NOT_ASKED = ("test_the_comparison_compares", "test_the_documentation_names_tests_that_exist")


def pytest_configure(config: pytest.Config) -> None:
    """Every mutant meets the same few examples."""
    settings.load_profile("mutation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what no mutant could fail; and lint, which is no part of the judge, and is not mutated."""
    items[:] = [item for item in items if item.name not in NOT_ASKED and "policy/lint/" not in item.nodeid]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget what functions remember: a mutant behind a cache that is warm would never run."""
    for cached in _remembering(len(sys.modules)):
        cached.cache_clear()


@functools.cache
def _remembering(_modules: int) -> list[Any]:
    """Every function of ours that remembers, found anew when there are more modules."""
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("relay.")]
    return [value for module in ours for value in vars(module).values() if isinstance(value, CACHED)]


@dataclass
class Mutants:
    """The mutants of one source file, with what became of them."""

    path: Path
    meta: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.meta = json.loads(self.path.read_text("utf-8"))

    @property
    def verdicts(self) -> dict[str, int | None]:
        return self.meta["exit_code_by_key"]  # type: ignore[no-any-return]

    def save(self) -> None:
        self.path.write_text(json.dumps(self.meta), "utf-8")

    def told(self) -> str:
        return told_of(str(self.path).removesuffix(".meta"), self.verdicts.values())


def told_of(name: str, verdicts: Iterable[int | None]) -> str:
    """How many of those that were judged are dead."""
    judged = [verdict for verdict in verdicts if verdict is not None]
    killed = sum(verdict not in (SURVIVED, NO_TESTS) for verdict in judged)
    return f"{name:44} {killed:4} of {len(judged):4} killed {killed / max(len(judged), 1):7.1%}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Judge the mutants that were asked for, in place of running the tests."""
    wanted = os.environ.get(WANTED)
    if wanted is None or session.testsfailed or session.config.option.collectonly:
        return None
    stats = json.loads(Path("mutmut-stats.json").read_text("utf-8"))
    suite = Suite.of(session, stats)
    gc.collect()
    gc.freeze()
    for path in sorted(Path().glob("relay/**/*.meta")):
        mutants = Mutants(path)
        chosen = [name for name in mutants.verdicts if fnmatch.fnmatch(name, wanted)]
        for name in chosen:
            mutants.verdicts[name] = suite.judge(name)
        if chosen:
            mutants.save()
            os.write(1, f"{mutants.told()}\n".encode())
    return True


@dataclass
class Suite:
    """The collected tests, and which of them reach which function; those that killed last are asked first."""

    items: Mapping[str, pytest.Item]
    reaching: Mapping[str, list[str]]
    durations: Mapping[str, float]
    killers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, session: pytest.Session, stats: Mapping[str, Any]) -> "Suite":
        items = {item.nodeid: item for item in session.items}
        return cls(items, stats["tests_by_mangled_function_name"], stats["duration_by_test"])

    def judge(self, mutant: str) -> int:
        function = mutant.rpartition("__mutmut_")[0]
        known = [test for test in self.reaching.get(function, []) if test in self.items]
        if not known:
            return NO_TESTS
        first = self.killers[function]
        tests = first + sorted(set(known).difference(first), key=lambda test: (self.durations.get(test, 0), test))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._child(mutant, tests, writer)
        os.close(writer)
        with os.fdopen(reader) as told:
            killer = told.read()
        _, status = os.waitpid(child, 0)
        if killer in self.items:
            self.killers[function] = [killer, *(test for test in first if test != killer)][:5]
        code = os.waitstatus_to_exitcode(status)
        return TIMED_OUT if code < 0 else KILLED if code else SURVIVED

    def _child(self, mutant: str, tests: list[str], writer: int) -> None:
        os.environ[UNDER_TEST] = mutant
        resource.setrlimit(resource.RLIMIT_AS, (MOST_OCTETS, MOST_OCTETS))
        code = KILLED
        with Path(os.devnull).open("w") as nowhere:
            sys.stdout = sys.stderr = nowhere
            try:
                failed = next(self._failing(tests), None)
                os.write(writer, (failed or "").encode())
                code = KILLED if failed else SURVIVED
            finally:
                os._exit(code)

    def _failing(self, tests: list[str]) -> Iterator[str]:
        for test in tests:
            signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)  # ends the process: a mutant may never end
            reports = runtestprotocol(self.items[test], log=False, nextitem=None)
            if any(report.failed for report in reports):
                yield test


if __name__ == "__main__":
    every = [Mutants(path) for path in Path().glob("relay/**/*.meta")]
    sys.stdout.write(told_of("in all", [verdict for mutants in every for verdict in mutants.verdicts.values()]) + "\n")
