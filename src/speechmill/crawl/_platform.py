# SPDX-License-Identifier: Apache-2.0
"""One platform of a crawl: what is asked of it next, by which way, and what comes of the answer."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from speechmill.core import registry
from speechmill.core.errors import FetchError
from speechmill.core.remote import Page
from speechmill.crawl._bell import Bell
from speechmill.crawl._budget import Budget
from speechmill.crawl._connections import Calls
from speechmill.crawl._outcomes import Outcomes
from speechmill.crawl._tally import Ending
from speechmill.crawl.discovery import Followed, Listing, hungriest, refused_by, without_denied
from speechmill.crawl.egress import BUSY_S, Turn, Ways, ways_of
from speechmill.crawl.policy import decide
from speechmill.crawl.reactions import Breaker, next_try
from speechmill.crawl.workers import Answer
from speechmill.store.catalog import EgressState, Job, LeaseLost

if TYPE_CHECKING:
    from speechmill.crawl.plane import Ground

LISTINGS_AT_ONCE = 4  # pages asked for side by side, so that visits find work early
AHEAD = 4  # ready items for each worker thread, at which the next page is asked for
PATIENCE_S = 30.0  # waited for in any case: retries that are due soon, a way's pace
IDLE_S = 30.0  # between two looks at a catalog that other processes write too
EMPTY_S = 0.1  # between two leases that found nothing
PACED_S = 2.0  # longer waits for a way are no longer its pace


class PlatformCrawl:
    """What one crawl does with one platform."""

    def __init__(self, ground: Ground, backend: str, followed: list[Followed], ways: Ways) -> None:
        module = registry.load("sources", backend)
        self.platform = backend
        self.ending: Ending = "finished"
        self.bell = Bell()
        self._ground = ground
        self._followed = {one.listing.id: one for one in followed}
        self._ways = ways
        self._breaker = Breaker(backend)
        self._random = random.Random()
        self._budget = Budget(ground, backend, module.BUDGET)
        self._leased: deque[Job] = deque()  # and not under way
        self._visiting: dict[int, Job] = {}
        self._asking = 0  # pages
        self._taking: asyncio.Future[None] | None = None  # the last lease
        self._is_over = False
        self._empty_until = 0.0
        self._remembered: list[EgressState] = []
        self._calls = Calls(ground, backend, [one.listing for one in followed])
        self._outcomes = Outcomes(ground, backend, ways, self._breaker)

    @classmethod
    async def start(cls, ground: Ground, backend: str, listings: list[Listing]) -> PlatformCrawl:
        """Take up where the catalog says an earlier crawl was."""
        job = ground.job
        known = await ground.rows(ground.catalog.egress, backend)
        allowed, seed = ways_of(job.options, backend), random.getrandbits(32)
        ways = Ways(backend, allowed, job.options.spacing_s, known, seed, pace=job.pace)
        followed = []
        for listing in listings:
            query = await ground.rows(ground.catalog.query, listing.id, backend, listing.kind)
            refused = await ground.rows(refused_by, ground.catalog, listing, job.language)
            followed.append(Followed(listing, query, AHEAD * ground.slots, refused))
        return cls(ground, backend, followed, ways)

    async def run(self) -> None:
        """Crawl until nothing is left to do, or may be done, here."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._discover(group))
            await self._dispatch(group)
            self._is_over = True
            self.bell.ring()

    def _begin(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        """Start a task, unless another one has failed so badly that the crawl ends."""
        try:
            group.create_task(work)
        except RuntimeError:  # the group shuts down; its end raises what went wrong
            work.close()
            self._is_over = True

    async def remember(self) -> None:
        """Write how the ways are, where that changed."""
        states = self._ways.states()
        if states != self._remembered:
            await self._ground.rows(self._ground.catalog.save_egress, states)
            self._remembered = states

    async def learn(self) -> None:
        """Take over what other crawlers met on the same ways."""
        self._ways.learn(await self._ground.rows(self._ground.catalog.egress, self.platform))

    async def put_down(self) -> None:
        """Give back what is leased and what of the budget was not used."""
        ground = self._ground
        if self._taking is not None:
            await asyncio.gather(self._taking, return_exceptions=True)  # what it raised has ended the crawl already
        items = [job.item for job in (*self._leased, *self._visiting.values())] + sorted(self._outcomes.described)
        self._leased.clear()
        if items:
            await ground.rows(ground.catalog.release, ground.owner, items)
        await self._budget.refund()
        await self.remember()

    # -- discovery

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        while not self._is_ending() and any(one.may_grow for one in self._followed.values()):
            hungry = self._hungry() if self._asking < LISTINGS_AT_ONCE else None
            if hungry is None:
                await self.bell.heard(self._until_hungry())
                continue
            hungry.asking = True
            self._asking += 1
            self.bell.rung += 1
            self._begin(group, self._ask_page(hungry))

    def _hungry(self) -> Followed | None:
        """Return the listing to be asked next; none while enough is ready."""
        return hungriest(self._followed.values(), AHEAD * self._ground.slots, time.time())

    def _until_hungry(self) -> float:
        now = time.time()
        waits = [one.not_before - now for one in self._followed.values() if one.not_before > now and not one.ended]
        return max(EMPTY_S, min([*waits, IDLE_S]))

    async def _ask_page(self, followed: Followed) -> None:
        ground = self._ground
        try:
            if (turn := await self._way(followed.way)) is None:
                return
            followed.way = turn.egress.name
            answer = await ground.workers.ask(self._calls.page(followed, turn.egress))
            ground.tally.requests += answer.requests
            self._outcomes.report(turn, answer.error, None)
            if answer.error is not None:
                self._page_failed(followed, answer.error)
            elif answer.page is not None:
                await self._page(followed, answer.page)
        finally:
            followed.asking = False
            self._asking -= 1
            self.bell.ring()

    async def _page(self, followed: Followed, page: Page) -> None:
        ground, listing = self._ground, followed.listing
        page = without_denied(page, ground.denied)
        save = functools.partial(ground.catalog.save_page, restart=followed.starts_over)
        new = await ground.rows(save, listing.id, page, followed.skipped(page), time.time())
        ground.tally.found += new
        followed.take(page, new)
        await self._refresh(followed)
        self._empty_until = 0.0

    async def _refresh(self, followed: Followed) -> None:
        listing = followed.listing
        query = await self._ground.rows(self._ground.catalog.query, listing.id, self.platform, listing.kind)
        followed.refresh(query)

    def _page_failed(self, followed: Followed, error: FetchError) -> None:
        now, pace = time.time(), self._ground.job.pace
        at = next_try(error.kind, followed.failures + 1, now, error.retry_after, self._random, pace=pace)
        followed.fail(error, (at or now) - now, now)
        if followed.ended:
            self._ground.note(f"{self.platform} {followed.listing.kind}: its listing ended with {error}")
        if followed.broken:
            self.ending = "waiting"

    # -- dispatch

    def _is_ending(self) -> bool:
        return self._is_over or self._ground.stop.why is not None

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        while not self._is_ending():
            await self._ground.room.acquire()
            found = await self._next()
            if found is None:
                self._ground.room.release()
                return
            self._begin(group, self._visit(*found))

    async def _next(self) -> tuple[Job, Turn] | None:
        """Return the next visit, when its time has come; None: there will be none."""
        job = await self._next_job()
        if job is None:
            return None
        turn = None
        try:
            if await self._is_readable(job) and await self._afford():
                turn = await self._way()
        finally:
            if turn is None:
                self._leased.appendleft(job)
        if turn is None:
            return None
        self._budget.use()
        self._visiting[job.item] = job
        return job, turn

    async def _next_job(self) -> Job | None:
        while not self._is_ending():
            if self._leased:
                job = self._leased.popleft()
                if not self._is_known(job):
                    return job
                continue
            if await self._lease():
                continue
            wait_s = await self._until_more()
            if wait_s is None:
                return None
            await self.bell.heard(wait_s)
        return None

    def _is_known(self, job: Job) -> bool:
        """Tell whether an earlier run described an item, where no more than that is asked for."""
        followed = self._followed[job.query]
        if self._ground.job.fetch or job.description is None:
            return False
        decision = decide(followed.wanted, job.description, self._ground.job.language)
        if decision.verdict != "accept":
            return False
        self._ground.tally.describe(job.description, decision)
        self._outcomes.described.add(job.item)
        followed.accept()
        followed.under_way -= 1
        return True

    async def _lease(self) -> bool:
        """Take ready items: of listings without a limit together, of others as many as the limit has room for."""
        if time.monotonic() < self._empty_until:
            return False
        count = self._ground.slots
        free = [id for id, one in self._followed.items() if one.room is None and one.open > one.under_way]
        asked = [(free, count)] if free else []
        asked += [([id], count) for id, one in self._followed.items() if one.room and one.has_ready]
        for queries, wanted in asked:
            limited = self._followed[queries[0]]
            if limited.wanted.limit is not None:
                await self._refresh(limited)  # other crawlers fill the same limit
                wanted = min(count, limited.room or 0)
            # Shielded: what is leased must be known here, even where the crawl ends at this moment.
            self._taking = asyncio.ensure_future(self._take(queries, wanted))
            await asyncio.shield(self._taking)
            if len(self._leased) >= count:
                break
        return bool(self._leased)

    async def _take(self, queries: list[str], count: int) -> None:
        ground = self._ground
        jobs = await ground.rows(ground.catalog.lease, ground.owner, queries, count, ground.job.lease_s, time.time())
        for job in jobs:
            self._followed[job.query].under_way += 1
        self._leased += jobs

    async def _until_more(self) -> float | None:
        """Return seconds after which there may be more to do, unless the bell rings before; None: nothing will come."""
        if self._is_busy() and (left := self._empty_until - time.monotonic()) > 0:
            return left
        heard = self.bell.rung
        if not self._is_busy():
            for followed in self._followed.values():
                await self._refresh(followed)
        wait_s = await self._until_due()
        if self.bell.rung != heard:
            return 0.0  # something happened meanwhile: look again
        if self._hungry() is not None and not self._asking:
            self.bell.ring()
        elif not self._is_busy() and (wait_s is None or self._gives_up(wait_s, "waiting")):
            return None
        wait_s = min(max(EMPTY_S, IDLE_S if wait_s is None else wait_s), IDLE_S)
        self._empty_until = time.monotonic() + wait_s
        return wait_s

    def _is_busy(self) -> bool:
        return bool(self._visiting or self._asking)

    async def _until_due(self) -> float | None:
        """Return seconds until a visit or a page may be tried again; None: none waits for that."""
        now = time.time()
        waits = [one.not_before - now for one in self._followed.values() if one.may_grow and one.not_before > now]
        ready = [id for id, one in self._followed.items() if one.room != 0 and one.has_ready]
        due = await self._ground.rows(self._ground.catalog.next_due, ready, now) if ready else None
        return min(waits if due is None else [*waits, due], default=None)

    def _gives_up(self, wait_s: float, ending: Ending) -> bool:
        """Tell whether so long a wait ends the platform's crawl, as the job has it."""
        if self._ground.job.wait or wait_s <= PATIENCE_S:
            return False
        self.ending, self._is_over = ending, True
        return True

    async def _is_readable(self, job: Job) -> bool:
        """Wait while too many answers had a form that nobody knows."""
        while not self._is_ending():
            now = time.time()
            if self._breaker.allows(job.ref.id, now):
                return True
            self._ground.note(self._breaker.advice)
            wait_s = self._breaker.next_at(now) - now
            if self._gives_up(wait_s, "waiting"):
                return False
            await self.bell.heard(min(max(wait_s, 1.0), IDLE_S))
        return False

    async def _afford(self) -> bool:
        """See that an item of the budget is there, waiting for one where the job does."""
        while not self._is_ending():
            wait_s = await self._budget.lacks(len(self._leased) + 1)
            if wait_s is None:
                return True
            if not self._ground.job.wait or self._budget.is_nothing:
                self.ending, self._is_over = "budget", True
                return False
            await self._ground.pause(min(max(wait_s, 0.05), IDLE_S))
        return False

    async def _way(self, preferred: str | None = None) -> Turn | None:
        """Return a turn whose time has come; None: there will be none, or the crawl ends.

        preferred: a listing goes on by the way that it came, else all of it is read again.
        """
        while not self._is_ending():
            now = time.time()
            turn = self._ways.take_preferred(now, preferred)
            if turn is None:
                if not await self._wait_for_ways(now):
                    return None
                continue
            if turn.at > now:
                await self._ground.pause(turn.at - now)
            if self._is_ending():
                self._ways.put_back(turn)
            elif self._ways.start(turn, time.time()):
                self._ground.tally.waits.pop(self.platform, None)
                return turn
        return None

    async def _wait_for_ways(self, now: float) -> bool:
        """Wait until some way may be used; False: that is too long, or only the operator can tell when."""
        at = self._ways.next_at(now)
        if at is None:
            self._ground.note(f"{self.platform}: no way is left that may be used; see: speechmill crawl status")
            self.ending, self._is_over = "waiting", True
            return False
        if at - now > PACED_S:
            self._ground.tally.waits[self.platform] = "every way there rests"
        if self._gives_up(at - now, "waiting"):
            return False
        await self.bell.heard(min(max(at - now, BUSY_S), IDLE_S))
        return True

    # -- a visit

    async def _visit(self, job: Job, turn: Turn) -> None:
        ground, followed = self._ground, self._followed[job.query]
        ground.tally.under_way += 1
        answer: Answer | None = None
        try:
            started = time.time()
            answer = await ground.workers.ask(self._calls.visit(followed, turn.egress, job.ref))
            self._outcomes.account(job, turn, answer, started)
            if answer.error is None:
                await self._outcomes.keep(job, followed, answer)
            elif (left := await self._outcomes.fail(job, followed, answer, self._again)) is not None:
                self._empty_until = min(self._empty_until, time.monotonic() + left)
            del self._visiting[job.item]
        except LeaseLost:
            ground.note(f"{self.platform}: another process took over items of this one: it was slow, or clocks differ")
            self._visiting.pop(job.item, None)
        finally:
            if answer is not None and answer.fetched is not None:
                answer.fetched.path.unlink(missing_ok=True)
            followed.under_way -= 1
            ground.tally.under_way -= 1
            ground.room.release()
            if followed.wanted.limit is not None:
                self._empty_until = 0.0  # what was not kept leaves its room to another
            self.bell.ring()

    def _again(self, error: FetchError, failures: int) -> float | None:
        """Return when an item is tried again that has failed so often in a row; None: not by itself."""
        job, now = self._ground.job, time.time()
        most = job.options.max_failures
        return next_try(error.kind, failures, now, error.retry_after, self._random, most, pace=job.pace)
