# SPDX-License-Identifier: Apache-2.0
"""How many items were asked of a platform in the last hour, whoever asked.

Counted in buckets of ten seconds. A bucket counts until its last moment is an hour old, so that a rounding never lets
one more through: a budget that was used up at once is whole again at most ten seconds late.
"""

from __future__ import annotations

from math import floor

from sqlalchemy import Connection, delete, func, select, update

from speechmill.store.catalog import Grant
from speechmill.store.catalog.database import upsert
from speechmill.store.catalog.schema import budgets, spending

WINDOW_S = 3600
BUCKET_S = 10
KEEP_S = 7 * 86_400  # of buckets that count no more; long, so that one wrong clock wipes out nobody's hour


def spend(connection: Connection, platform: str, per_hour: int | None, asked: int, now: float) -> Grant:
    """See Catalog.spend."""
    _lock(connection, platform)
    asked = max(0, asked)
    buckets = _buckets(connection, platform, now)
    room = asked if per_hour is None else max(0, per_hour - sum(buckets.values()))
    granted = min(asked, room)
    if granted:
        bucket = floor(now / BUCKET_S)
        _add(connection, platform, bucket, granted)
        buckets[bucket] = buckets.get(bucket, 0) + granted
    if per_hour is None:
        return Grant(granted=granted, wait_s=0.0)
    return Grant(granted=granted, wait_s=_wait_s(buckets, per_hour, now))


def _lock(connection: Connection, platform: str) -> None:
    upsert(connection, budgets, [{"platform": platform}], ("platform",))
    connection.execute(select(budgets).where(budgets.c.platform == platform).with_for_update())


def _buckets(connection: Connection, platform: str, now: float) -> dict[int, int]:
    """Return what counts, oldest first. What another's fast clock puts into the future counts too."""
    oldest = floor((now - WINDOW_S) / BUCKET_S)
    rows = connection.execute(
        select(spending.c.bucket, spending.c.count)
        .where(spending.c.platform == platform, spending.c.bucket >= oldest, spending.c.count > 0)
        .order_by(spending.c.bucket)
    )
    return {row[0]: row[1] for row in rows}


def _add(connection: Connection, platform: str, bucket: int, count: int) -> None:
    upsert(connection, spending, [{"platform": platform, "bucket": bucket, "count": 0}], ("platform", "bucket"))
    mine = (spending.c.platform == platform) & (spending.c.bucket == bucket)
    connection.execute(update(spending).where(mine).values(count=spending.c.count + count))
    stale = (spending.c.platform == platform) & (spending.c.bucket < bucket - KEEP_S // BUCKET_S)
    connection.execute(delete(spending).where(stale))


def _wait_s(buckets: dict[int, int], per_hour: int, now: float) -> float:
    """Seconds until enough buckets are too old to count. With a budget of 0: an hour, and then an hour again."""
    left = sum(buckets.values())
    if left < per_hour:
        return 0.0
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left < per_hour:
            return (bucket + 1) * BUCKET_S + WINDOW_S - now
    return float(WINDOW_S)


def refund(connection: Connection, platform: str, count: int, now: float) -> None:
    """See Catalog.refund.

    Taken off the oldest that still count: whichever items were not used, what is left then stands for longer than
    it must, never for shorter.
    """
    _lock(connection, platform)
    for bucket, spent in _buckets(connection, platform, now).items():
        back = min(count, spent)
        if back <= 0:
            return
        mine = (spending.c.platform == platform) & (spending.c.bucket == bucket)
        connection.execute(update(spending).where(mine).values(count=spending.c.count - back))
        count -= back


def spent(connection: Connection, platform: str, now: float) -> int:
    """See Catalog.spent."""
    oldest = floor((now - WINDOW_S) / BUCKET_S)
    counted = select(func.sum(spending.c.count)).where(spending.c.platform == platform, spending.c.bucket >= oldest)
    return int(connection.scalar(counted) or 0)
