"""
``ses-relay`` for many calls: a process that has loaded the program once, and forks for each.

Loading it costs more than what most commands do; a page that types twenty would pay it twenty times. A call runs in a
process of its own, with the caller's folder, variables, arguments, standard streams and exit code.
"""

import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

#: What stands on the PATH as ses-relay. Without ``site``: it starts in some milliseconds.
CALL: Final = """\
#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({at!r})
    told = json.dumps([os.getcwd(), dict(os.environ), sys.argv]).encode()
    socket.send_fds(line, [len(told).to_bytes(4)], [0, 1, 2])
    line.sendall(told)
    sys.exit(line.recv(1)[0])
"""


@contextmanager
def at_hand(folder: Path) -> Iterator[Path]:
    """Yield a folder for the PATH, in which ``ses-relay`` is, until the block ends."""
    folder.mkdir()
    call, at = folder / "ses-relay", folder / "line"
    call.write_text(CALL.format(python=sys.executable, at=str(at)))
    call.chmod(0o755)
    with subprocess.Popen([sys.executable, "-m", "tests.docs.typist", str(at)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield folder
        finally:
            process.terminate()


def main() -> None:
    """Load everything, say so, and answer calls until SIGTERM."""
    package = import_module("relay.cli")
    for module in pkgutil.walk_packages(package.__path__, "relay.cli."):
        import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(sys.argv[1])
        door.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(line)
            line.close()


def _answer(line: socket.socket) -> None:
    """Run one call in a child, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    told = b""
    while len(told) < int.from_bytes(size):
        told += line.recv(1 << 16)
    child = os.fork()
    if child == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        _run(*json.loads(told))
    line.sendall(bytes([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF]))
    os._exit(0)


def _run(folder: str, environ: dict[str, str], arguments: list[str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = arguments
    code = 0
    try:
        import_module("relay.cli").main(prog_name="ses-relay")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:  # noqa: BLE001 - as Python would end
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
