"""Groups of commands that import a command's module only when it is typed: the quick ones stay quick."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click


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
            with _without_looking_for_garbage():
                import_module(name)
        found: click.Command = sys.modules[name].command
        return found


@contextmanager
def _without_looking_for_garbage() -> Iterator[None]:
    """
    Leave cycles alone for a moment: modules make next to none, and looking took a tenth of the time that they load in.

    Nor is what was loaded looked at later: it stays.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if looked:
            gc.enable()
