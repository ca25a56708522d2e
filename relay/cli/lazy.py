"""Groups of commands that import a command's module only when it is typed: the quick ones stay quick."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

#: New objects between two looks while modules load: few enough to be in the processor's cache still.
_NEW: Final = 2_000
_NEVER: Final = 1_000_000


class LazyGroup(click.Group):
    """A group whose commands are the ``command`` of modules named after them in *package*."""

    def __init__(self, *args: Any, package: str = "", modules: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self._modules = tuple(modules)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names as they are typed."""
        return [name.replace("_", "-") for name in self._modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  the same
        """Import the module of one command; None for a name that is not there."""
        module = cmd_name.replace("-", "_")
        if module not in self._modules:
            return None
        name = f"{self._package}.{module}"
        if name not in sys.modules:
            with _looking_at_new_garbage_only():
                import_module(name)
        found: click.Command = sys.modules[name].command
        return found


@contextmanager
def _looking_at_new_garbage_only() -> Iterator[None]:
    """
    Look for cycles among what is new, once, and never again at what was loaded: it stays.

    Looking as the interpreter does by itself took a tenth of the time that modules load in; without any look, classes
    that are made twice, as each value is, would stay as well: a megabyte of them.
    """
    before = gc.get_threshold()
    gc.set_threshold(_NEW, _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*before)
