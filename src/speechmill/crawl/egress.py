# SPDX-License-Identifier: Apache-2.0
"""Ways to the network and their health: a state machine without a clock or a network of its own.

More ways raise no budget (that is the platform's, in the catalog). A way that met a bot check is not used again
until the operator says so. One that was told to slow down rests, comes back at half its pace and recovers slowly. One
that is dead rests for longer and longer, and is then tried with a single item.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.core.remote import Kind
from speechmill.pipeline.crawl_options import Egress
from speechmill.store.catalog import EgressState


class Turn(Struct, frozen=True):
    """Which way to go, and not before when (seconds since 1970)."""

    egress: Egress
    at: float


class Ways:
    """The ways to one platform. Not shared between threads."""

    def __init__(
        self, platform: str, ways: Sequence[Egress], spacing_s: float, known: dict[str, EgressState], seed: int = 0
    ) -> None:
        raise NotImplementedError

    def take(self, now: float) -> Turn | None:
        """Give the next way and its time; None while none may be used at all (then see `next_at`)."""
        raise NotImplementedError

    def next_at(self, now: float) -> float | None:
        """When some way may be used again; None: never, without the operator."""
        raise NotImplementedError

    def report(self, name: str, kind: Kind | None, now: float, retry_after: float | None = None) -> None:
        """Tell how a visit went; None: well. What is the item's fault (permanent, geo) counts as well."""
        raise NotImplementedError

    def states(self) -> list[EgressState]:
        """Return what is to be remembered."""
        raise NotImplementedError
