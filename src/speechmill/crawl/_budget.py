# SPDX-License-Identifier: Apache-2.0
"""A platform's hourly budget as one crawl spends it: items are taken from the catalog some at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmill.crawl.plane import Ground

GRANTED = 8  # items taken from the budget at once


class Budget:
    """What is taken of a budget and not used yet."""

    def __init__(self, ground: Ground, platform: str, usual: int | None) -> None:
        """usual: items an hour where the corpus names none; None: any number."""
        self.items: int | None = ground.job.options.budgets.get(platform, usual)
        self._ground = ground
        self._platform = platform
        self._granted = 0

    @property
    def is_nothing(self) -> bool:
        """Whether nothing ever comes of it."""
        return self.items is not None and self.items < 1

    def use(self) -> None:
        """Count an item that is asked for."""
        self._granted -= self.items is not None

    async def lacks(self, wanted: int) -> float | None:
        """See that an item is there. Returns after how many seconds to try again; None: there is one."""
        ground = self._ground
        if self.items is None or self._granted:
            return None
        asked = min(GRANTED, wanted)
        grant = await ground.rows(ground.catalog.spend, self._platform, self.items, asked, time.time())
        self._granted = grant.granted
        spent = await ground.rows(ground.catalog.spent, self._platform, time.time())
        ground.tally.budget_left[self._platform] = max(0, self.items - spent)
        if grant.granted:
            ground.tally.waits.pop(self._platform, None)
            return None
        ground.tally.waits[self._platform] = f"budget of {self.items} items an hour"
        return grant.wait_s

    async def refund(self) -> None:
        """Give back what was not used."""
        if self._granted:
            granted, self._granted = self._granted, 0
            await self._ground.rows(self._ground.catalog.refund, self._platform, granted, time.time())
