"""
Fuzz one target with atheris, or all of them in turn: ``python -m tests.fuzz [TARGET ...] --seconds 300``.

What libFuzzer finds worth keeping grows under ``.fuzz/TARGET/corpus`` from run to run; what breaks a target is written
beside it. The last line of each run says how many executions there were.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / ".fuzz"
_DONE: Final = re.compile(r"Done (\d+) runs")
_COVERAGE: Final = re.compile(r"cov: (\d+) .* corp: (\d+)")


def main() -> int:
    """Return 1 if some target was broken."""
    arguments = _arguments()
    if arguments.here:
        _fuzz(arguments.target[0], arguments.seconds)
    names = arguments.target or _names()
    broken = [name for name in names if not _run_apart(name, arguments.seconds)]
    for name in broken:
        print(f"{name}: look into {FOLDER / name}; python -m tests.fuzz {name} --try FILE says more", file=sys.stderr)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help="all of them if none is named")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--try", dest="file", type=Path, help="check one file, without atheris")
    arguments = parser.parse_args()
    if arguments.file:
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - uninstrumented here, instrumented in _fuzz

        TARGETS[arguments.target[0]].check(arguments.file.read_bytes())
        sys.exit(0)
    return arguments


def _names() -> list[str]:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - uninstrumented here, instrumented in _fuzz

    return list(TARGETS)


def _run_apart(name: str, seconds: int) -> bool:
    """Fuzz in a process of its own, as libFuzzer ends it; print one line. Whether the target held."""
    folder = FOLDER / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--here", "--seconds", str(seconds)]
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=log, env=os.environ, check=False).returncode
    text = (folder / "log").read_text(errors="replace")
    runs, seen = _DONE.search(text), _COVERAGE.findall(text)
    coverage, kept = seen[-1] if seen else ("?", "?")
    print(
        f"{name:12} {int(runs[1]) if runs else 0:>10} executions {time.monotonic() - began:5.0f} s"
        f"  coverage {coverage:>5}  corpus {kept:>5}  {'held' if code == 0 else 'BROKEN'}",
        flush=True,
    )
    return code == 0


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz in this process; libFuzzer ends it."""
    import atheris  # noqa: PLC0415 - installed by "make fuzz" only

    with atheris.instrument_imports(include=["relay", "tests.readings"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - within the instrumentation
    target = TARGETS[name]
    folder = FOLDER / name
    for at, seed in enumerate(target.seeds()):
        (folder / "corpus" / f"seed-{at:04}").write_bytes(seed[: target.longest])
    dictionary = folder / "dictionary"
    dictionary.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens))

    def check(octets: bytes) -> Any:
        target.check(octets)

    atheris.Setup(
        [
            "fuzz",
            str(folder / "corpus"),
            f"-artifact_prefix={folder}/",
            f"-dict={dictionary}",
            f"-max_len={target.longest}",
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=1",
        ],
        check,
    )
    atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\x{octet:02X}" for octet in token)


if __name__ == "__main__":
    sys.exit(main())
