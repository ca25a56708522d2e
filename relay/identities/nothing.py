"""No source of policies: every owner is sealed, and SES judges alone."""

import asyncio

from relay.judgement.catalog import Catalog


class NoDirectory:
    """The directory of a relay that sees nobody's policies: empty, never old, and never told of."""

    @property
    def catalog(self) -> Catalog:
        """Nothing, and it is known that there is nothing."""
        return Catalog()

    def refresh(self) -> None:
        """There is nothing to read."""

    def refresh_soon(self) -> None:
        """There is nothing to read."""

    async def run(self, interval: float) -> None:  # noqa: ARG002  as of every directory
        """Wait until cancelled."""
        await asyncio.Event().wait()
