# SPDX-License-Identifier: Apache-2.0
"""How far each listing is followed: only as far ahead of the visits as keeps the workers busy.

A listing's next page is asked for while fewer of its items are ready than a low-water mark, and fewer than it still
lacks of its limit. One that had ended is started over once a run, and ends at the first page that holds nothing new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct, structs

from speechmill.core.errors import FetchError
from speechmill.core.remote import Decision, Page, Wanted
from speechmill.crawl.policy import decide, listed
from speechmill.crawl.workers import wanted_of
from speechmill.store.catalog import Catalog, Query
from speechmill.store.denied import Denied, item_name
from speechmill.store.takedowns import crawled_id

MAX_PAGES = 10_000  # of one listing in one run: a listing without end is a fault
MAX_FAILURES = 5  # in a row; then a listing is left for another run
MAX_UNREACHED = 50  # in a row, where the way was the reason: ways rest by themselves, and the network may be down


class Listing(Struct, frozen=True):
    """One remote source of a corpus: what it asks for, and how the catalog names that."""

    backend: str
    config: Any  # the backend's Config
    id: str
    kind: str  # "search", "channel", ...: what statistics are told apart by


def without_denied(page: Page, denied: Denied) -> Page:
    """Leave out what was purged from the workspace."""
    kept = (ref for ref in page.refs if not denied.holds(item_name(crawled_id(ref.platform, ref.id))))
    return structs.replace(page, refs=tuple(kept))


def refused_by(catalog: Catalog, listing: Listing, language: str | None) -> int:
    """Count stored items that today's policy doesn't accept, where there is a limit for which they could count."""
    wanted = wanted_of(listing.config)
    if wanted.limit is None:
        return 0
    return sum(decide(wanted, one.description, language).verdict != "accept" for one in catalog.hand_over([listing.id]))


class Followed:
    """A listing on its way. Knows of nothing but itself: who asks for pages tells it what they held."""

    def __init__(self, listing: Listing, known: Query, low_water: int, refused: int = 0) -> None:
        """refused: stored items that the policy of today does not accept; they take no room under the limit."""
        self.listing = listing
        self.wanted: Wanted = wanted_of(listing.config)
        self._refused = refused
        self.kept = known.kept - refused  # items stored, over all runs
        self.open = known.open  # items ready or leased
        self.under_way = 0  # of those, what this process has
        self.ended = False  # for this run
        self.broken = False  # it ended by failures, and may have more
        self.asking = False
        self.not_before = 0.0  # seconds since 1970
        self.failures = 0  # in a row
        self.pages = 0
        self.way: str | None = None  # by which the last page came
        self._accepted = 0  # described and accepted by a run without media: they stay leased until it ends
        self._low_water = low_water
        self._over = known.done  # it ended in an earlier run: this one starts it over
        self.cursor = None if known.done else known.cursor

    @property
    def starts_over(self) -> bool:
        """Whether the next page is the first of a new pass over a listing that had ended."""
        return self._over and self.cursor is None

    @property
    def lacking(self) -> int | None:
        """Items that the limit still allows; None: any number."""
        return None if self.wanted.limit is None else max(0, self.wanted.limit - self.kept)

    @property
    def room(self) -> int | None:
        """Items that may be visited besides those under way without going beyond the limit; None: any number."""
        return None if self.lacking is None else max(0, self.lacking - self.under_way)

    @property
    def has_ready(self) -> bool:
        """Whether items wait, as far as this process knows."""
        return self.open > self.under_way

    @property
    def ready(self) -> int:
        """Items that wait and that the limit allows."""
        return self.open if self.lacking is None else min(self.open, self.lacking)

    def refresh(self, known: Query) -> None:
        """Take over what the catalog says: other processes work on the same listing."""
        self.kept, self.open = known.kept - self._refused + self._accepted, known.open - self._accepted

    def accept(self) -> None:
        """Count an item that would have been fetched."""
        self._accepted += 1
        self.kept += 1
        self.open -= 1

    def is_hungry(self, now: float) -> bool:
        """Tell whether the next page should be asked for."""
        if self.ended or self.asking or now < self.not_before:
            return False
        lacking = self.lacking
        return self.open < (self._low_water if lacking is None else min(self._low_water, lacking))

    @property
    def may_grow(self) -> bool:
        """Whether more items may come of this listing in this run."""
        return not self.ended and self.lacking != 0

    def skipped(self, page: Page) -> Mapping[str, Decision]:
        """Decide which items of a page are not worth a visit."""
        decisions = ((ref.id, listed(self.wanted, ref)) for ref in page.refs)
        return {id: decision for id, decision in decisions if decision.verdict != "accept"}

    def take(self, page: Page, new: int) -> None:
        """Go on behind a page of which `new` items were new."""
        self.pages += 1
        self.failures = 0
        repeats = page.cursor is not None and page.cursor == self.cursor
        if page.cursor is None or repeats or self.pages >= MAX_PAGES or (self._over and not new):
            self.ended = True
        self.cursor = page.cursor

    def fail(self, error: FetchError, again_after_s: float, now: float) -> None:
        """Note a page that did not come. What never comes, or failed too often, ends the listing for this run."""
        self.failures += 1
        self.not_before = now + again_after_s
        most = MAX_UNREACHED if error.kind in ("rate", "bot", "net") else MAX_FAILURES
        if error.kind == "permanent" or self.failures >= most:
            self.ended = True
            self.broken = error.kind != "permanent"


def hungriest(listings: Collection[Followed], enough: int, now: float) -> Followed | None:
    """Return the listing to be asked next, the one with fewest pages so far; None while enough items are ready."""
    if sum(one.ready for one in listings) >= enough:
        return None
    return min((one for one in listings if one.is_hungry(now)), key=_pages, default=None)


def _pages(followed: Followed) -> int:
    return followed.pages
