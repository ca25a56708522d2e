"""Against a loss of power, which cannot be had here: the order of system calls before each acknowledgement."""

import re

from tests.spool.trials import command, said_by

CALLS = "openat,write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^\d+ +(\w+)\((.*)$")


def calls_of(trace: str) -> list[tuple[str, str]]:
    """The calls of all threads in the order of their returns, as name and arguments."""
    begun: dict[tuple[str, str], str] = {}
    calls = []
    for line in trace.splitlines():
        if match := UNFINISHED.match(line):
            begun[match[1], match[2]] = match[3]
        elif match := RESUMED.match(line):
            calls.append((match[2], begun.pop((match[1], match[2])) + match[3]))
        elif match := CALL.match(line):
            calls.append((match[1], match[2]))
    return calls


def test_all_is_synced_before_it_is_acknowledged(tmp_path, strace):
    """
    File, folder, log, acknowledgement, in this order; a row goes durably before its file (C2-C4, C8, C9).
    """
    trace, folder = tmp_path / "trace", tmp_path / "spool"
    folder.mkdir()
    traced = [strace, "-f", "-qq", "-y", "-s", "300", "-o", str(trace), "-e", f"trace={CALLS}"]
    assert len(said_by([*traced, *command("life", folder)])) == 10
    calls = calls_of(trace.read_text(errors="replace"))

    def first(wanted: str, *words: str, after: int = -1) -> int:
        for at, (name, arguments) in enumerate(calls):
            if at > after and re.fullmatch(wanted, name) and all(word in arguments for word in words):
                return at
        raise AssertionError(f"no {wanted} with {words} after call {after}")

    def last(wanted: str, word: str, before: int) -> int:
        return max(n for n, (name, text) in enumerate(calls[:before]) if re.fullmatch(wanted, name) and word in text)

    log, messages = f"<{folder}/spool.db-wal>", f"<{folder}/spool.db.messages>"
    small, large = first("writev", '"kept small'), first("writev", '"kept large')
    made = first("openat", "spool.db-wal", "O_CREAT")
    assert made < first("f(data)?sync", f"<{folder}>", after=made) < small, "the name of the log"
    written = first("write", "/large.")
    synced = first("fsync", "/large.", after=written)
    renamed = first("rename.*", '"large.', after=synced)
    folder_synced = first("fsync", messages, after=renamed)
    assert written < synced < renamed < folder_synced < first("pwrite64", log, after=folder_synced) < large
    said = [at for at, (name, text) in enumerate(calls) if name == "writev" and "removing" not in text]
    for at in said:
        assert last("pwrite64", log, at) < last("fdatasync", log, at), calls[at]
    gone, removing = first("unlink(at)?", '"large.'), first("writev", '"removing large')
    assert removing < first("fdatasync", log, after=removing) < gone
