"""Two trees side by side: whether this one is slower than a revision, by more than turns differ anyway."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.arithmetic import Spread, is_slower, ratios
from bench.contenders import Contender, Ours, started
from bench.record import head, row
from bench.relays import taking_turns
from bench.ses import stage
from bench.trees import checked_out, prove
from bench.turns import Row, Turns


def compare(tree: Path, revision: str, rows: Sequence[Row], rounds: int, seconds: float) -> int:
    """
    Measure *tree* beside a *revision* of it, with the same bench, settings and libraries; return the exit code.

    1: a row costs more CPU than before, beyond the spread of its turns and 3 %.
    """
    prove(tree)
    rows = [each for each in rows if isinstance(each.of, Ours)]
    with checked_out(tree, revision) as other:
        prove(other)
        these, those = _measured((tree, other), rows, rounds, seconds)
    head(f"this tree beside {revision}", "CPU ms before", "CPU ms now", "now / before", "")
    slower = [_told(each, these[each], those[each]) for each in these]
    return int(any(slower))


def _measured(
    trees: tuple[Path, Path], rows: Sequence[Row], rounds: int, seconds: float
) -> tuple[dict[Row, list[float]], ...]:
    """CPU of each turn, of each tree. Each row is of one tree and then of the other, before the next row's turn."""
    with ExitStack() as stack:
        on_it = stack.enter_context(stage())
        contenders: dict[tuple[Ours | str, Path], Contender] = {}
        for which in dict.fromkeys(each.of for each in rows):
            here = stack.enter_context(started(which, on_it, trees[0]))
            try:
                there = stack.enter_context(started(which, on_it, trees[1]))
            except AssertionError:
                print(f"left out, the revision cannot be started so: {which}")
                continue
            contenders |= {(which, trees[0]): here, (which, trees[1]): there}
        turns = {
            (each, tree): Turns(each, contenders[each.of, tree], on_it, seconds)
            for each in rows
            for tree in trees
            if (each.of, tree) in contenders
        }
        taking_turns(turns, rounds)
    return tuple({each: turns[each, tree].measured.cpu for each in rows if (each, tree) in turns} for tree in trees)


def _told(each: Row, these: list[float], those: list[float]) -> bool:
    ratio = ratios(these, those)
    verdict = "SLOWER" if is_slower(ratio) else ""
    name = f"{each.load.octets // 1000} KB, {each.name}"
    row(name, Spread.of(those).text(".2f", 1e3), Spread.of(these).text(".2f", 1e3), ratio.text(".3f"), verdict)
    return bool(verdict)
