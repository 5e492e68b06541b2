# SPDX-License-Identifier: Apache-2.0
"""What came of calls to one platform: told to the way and to the platform, counted, and kept in catalog and store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from speechmill.core.errors import FetchError, WorkspaceError
from speechmill.crawl.discovery import Followed
from speechmill.crawl.egress import Turn, Ways
from speechmill.crawl.reactions import Breaker
from speechmill.crawl.visit import DISK
from speechmill.crawl.workers import DIED, Answer
from speechmill.store.catalog import Attempt, Job

if TYPE_CHECKING:
    from speechmill.crawl.plane import Ground

Again = Callable[[FetchError, int], float | None]  # an error, which failure in a row it is -> when to try again


class Outcomes:
    """Knows what to do with an answer, and nothing of what is asked next."""

    def __init__(self, ground: Ground, platform: str, ways: Ways, breaker: Breaker) -> None:
        self.described: set[int] = set()  # accepted without media: held until the end, so that nobody asks again
        self._ground = ground
        self._platform = platform
        self._ways = ways
        self._breaker = breaker

    def account(self, job: Job, turn: Turn, answer: Answer, started: float) -> None:
        """Count a visit, and tell its way how it went."""
        ground, error = self._ground, answer.error
        ground.tally.requests += answer.requests
        self.report(turn, error, job.ref.id)
        size = answer.fetched.size if answer.fetched is not None else 0
        kind, reason = (None, "") if error is None else (error.kind, error.reason)
        ground.attempts.append(
            Attempt(job.item, "visit", turn.egress.name, started, answer.seconds, answer.requests, size, kind, reason)
        )
        if answer.description is not None and answer.decision is not None and error is None:
            ground.tally.describe(answer.description, answer.decision)

    def report(self, turn: Turn, error: FetchError | None, item: str | None) -> None:
        """Tell way and platform how a call went. Raises WorkspaceError where the disk is full."""
        now, ground = time.time(), self._ground
        kind = error.kind if error else None
        if error is not None:
            ground.tally.errors[error.kind] += 1
            if error.reason == DISK:
                raise WorkspaceError(f"{ground.folder.path}: no space is left; free some and crawl again")
            if error.reason == DIED:
                self._ways.put_back(turn)  # that says nothing of the way
                return
        if item is not None:
            self._breaker.report(item, kind, now)
        self._ways.report(turn.egress.name, kind, now, error.retry_after if error else None)
        if kind == "bot":
            ground.note(
                f"{self._platform}: egress {turn.egress.name} met a bot check: stopped; it is not used again before "
                "you have looked into it. See: speechmill crawl status"
            )

    async def keep(self, job: Job, followed: Followed, answer: Answer) -> None:
        """Keep what came of a visit that went well."""
        ground, description, decision = self._ground, answer.description, answer.decision
        if description is None or decision is None:
            raise RuntimeError(f"{self._platform}: a worker answered a visit with nothing")
        if decision.verdict == "accept" and answer.fetched is not None:
            stored = await ground.files(ground.storing.keep, job, answer)
            ground.tally.store(answer.duration or description.duration or 0.0, answer.fetched.size)
            followed.kept += 1
            if ground.decoder is not None:
                await ground.files(ground.decoder.put, stored, followed.wanted, answer.fetched.path)
        else:
            await ground.rows(ground.catalog.described, ground.owner, job.item, description, decision, time.time())
            if decision.verdict == "accept":
                self.described.add(job.item)
                followed.accept()
                return
        followed.open -= 1

    async def fail(self, job: Job, followed: Followed, answer: Answer, again: Again) -> float | None:
        """Keep what is known of an item whose visit failed. Returns seconds until it is tried again; None: never."""
        ground, error, now = self._ground, answer.error, time.time()
        known = answer.description is not None and answer.decision is not None and answer.decision.verdict == "accept"
        if known:
            await ground.rows(
                ground.catalog.described, ground.owner, job.item, answer.description, answer.decision, now
            )
        at = again(error, job.failures + 1)
        await ground.rows(
            ground.catalog.failed, ground.owner, job.item, error.kind, error.reason, error.detail, now, at
        )
        followed.open -= at is None
        return None if at is None else at - now
