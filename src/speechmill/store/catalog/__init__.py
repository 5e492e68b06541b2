# SPDX-License-Identifier: Apache-2.0
"""The catalog: everything known up to stored audio, in SQLite or PostgreSQL, for one crawler or many.

Tables: queries, items, finds (which query found which item), jobs (one an item), attempts, assets, captions, egress,
spending, takedowns. Every method is one transaction. Times are seconds since 1970, given by the caller, so that a test
can turn the clock. An `owner` is one crawling process; what it leases it holds until `lease_until`, and a call for what
it no longer holds raises LeaseLost and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

from msgspec import Struct

from speechmill.core.errors import WorkspaceError
from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Kind, Page, Ref, Verdict

ItemState = Literal["found", "held", "skipped", "stored", "failed", "taken-down"]
JobState = Literal["ready", "leased", "done", "failed", "quarantined"]


class LeaseLost(WorkspaceError):
    """Somebody else holds it by now."""


class Query(Struct, frozen=True):
    """One listing that is followed, and how far."""

    id: str  # digest of the backend's name and of the fields that are the query
    platform: str
    kind: str  # "search", "channel", "playlist", "video", "feed", ...: what statistics are told apart by
    cursor: str | None = None  # where it goes on; None: from the start
    done: bool = False  # the listing's end was reached
    kept: int = 0  # items of it that are stored
    open: int = 0  # items of it whose job is ready or leased


class Job(Struct, frozen=True):
    """An item to visit."""

    item: int
    query: str  # the first query that found it: its policy decides
    ref: Ref
    failures: int
    description: Description | None = None  # of an earlier visit


class Grant(Struct, frozen=True):
    """How many items may be asked for now, and seconds until the next may."""

    granted: int
    wait_s: float


class Attempt(Struct, frozen=True):
    """One visit as it went, for statistics."""

    item: int
    verb: str  # "visit"
    egress: str
    started: float
    seconds: float
    requests: int
    bytes: int
    kind: Kind | None = None  # of the error; None: it went well
    reason: str = ""


class Stored(Struct, frozen=True):
    """An item whose media is in the store: a row of the hand-over."""

    item: int
    query: str
    description: Description
    asset: Asset
    captions: tuple[CaptionAsset, ...]


class Counts(Struct, frozen=True):
    """Items of some queries."""

    items: Mapping[ItemState, int]
    hours: Mapping[str, float]  # by licence state, of described items
    stored_hours: float
    errors: Mapping[Kind, int]  # of jobs that have not succeeded since
    jobs: Mapping[JobState, int]


class EgressState(Struct, frozen=True):
    """What is remembered of a way between runs."""

    name: str
    platform: str
    until: float = 0.0  # not to be used before
    reason: str = ""  # "bot", "rate", "net"; "": healthy
    failures: int = 0  # in a row
    rate_factor: float = 1.0  # share of its pace


class Takedown(Struct, frozen=True):
    """What must never be fetched or exported again."""

    platform: str
    id: str
    at: float
    note: str


class Catalog:
    """See the module. Use as a context manager, or `close` it."""

    @classmethod
    def open(cls, address: str) -> Self:
        """Open (SQLite: make) and migrate the database. Raises WorkspaceError; passwords are never in its message.

        address: a SQLAlchemy URL. `sqlite:///path` gets WAL and a busy timeout; PostgreSQL reads PGPASSWORD and
        ~/.pgpass, so that no password stands in a corpus file.
        """
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # -- discovery

    def query(self, id: str, platform: str, kind: str) -> Query:
        """Return a query's state, making it where it is new."""
        raise NotImplementedError

    def save_page(
        self, query: str, page: Page, skipped: Mapping[str, Decision], now: float, *, restart: bool = False
    ) -> int:
        """Keep a page: new refs become items with a ready job, or skipped ones without. Returns how many are new.

        skipped: by ref id. A ref known from elsewhere is only noted as a find of this query. The cursor moves with it,
        in the same transaction. restart: the page is the first of a new pass over a listing that had ended.
        """
        raise NotImplementedError

    # -- work

    def lease(
        self, owner: str, queries: Sequence[str], count: int, lease_s: float, now: float, platforms: Sequence[str] = ()
    ) -> list[Job]:
        """Take ready jobs (and leased ones whose lease ran out) that are due, oldest first; skips those locked."""
        raise NotImplementedError

    def renew(self, owner: str, lease_s: float, now: float) -> int:
        """Prolong everything that an owner holds. Returns how many."""
        raise NotImplementedError

    def release(self, owner: str, items: Sequence[int]) -> None:
        """Give jobs back untouched."""
        raise NotImplementedError

    def described(self, owner: str, item: int, description: Description, decision: Decision, now: float) -> None:
        """Keep what is known of an item. Verdicts hold and skip end its job; accept leaves it leased."""
        raise NotImplementedError

    def intend(self, owner: str, item: int, key: str) -> None:
        """Note which object is about to be written, so that a crash leaves no orphan that nobody knows."""
        raise NotImplementedError

    def stored(
        self, owner: str, item: int, asset: Asset, captions: Sequence[CaptionAsset], now: float
    ) -> tuple[str, ...]:
        """Add the asset rows and end the job. Returns keys that were intended earlier and now belong to nobody."""
        raise NotImplementedError

    def failed(
        self, owner: str, item: int, kind: Kind, reason: str, detail: str, now: float, retry_at: float | None
    ) -> None:
        """Note a failure; retry_at None: for good where kind is permanent, else set aside (quarantined)."""
        raise NotImplementedError

    def attempt(self, attempts: Sequence[Attempt]) -> None:
        """Append what visits cost."""
        raise NotImplementedError

    def retry(self, queries: Sequence[str], kinds: Sequence[Kind], now: float) -> int:
        """Make set-aside, waiting and (where kinds has "permanent") failed jobs ready now. Returns how many."""
        raise NotImplementedError

    def reconsider(self, decisions: Mapping[int, Decision], now: float) -> None:
        """Apply new decisions to described items without a visit: what is accepted now gets a ready job."""
        raise NotImplementedError

    def undecided(self, queries: Sequence[str], verdicts: Sequence[Verdict]) -> Iterator[tuple[int, str, Description]]:
        """Yield (item, query, description) of described items with these verdicts."""
        raise NotImplementedError

    def next_due(self, queries: Sequence[str], now: float) -> float | None:
        """Seconds until some job is due; 0 where one is, None where none is left."""
        raise NotImplementedError

    # -- budgets and ways

    def spend(self, platform: str, per_hour: int | None, asked: int, now: float) -> Grant:
        """Take items from a platform's budget: at most `per_hour` in any 3,600 s, whoever asks and by whichever way."""
        raise NotImplementedError

    def refund(self, platform: str, count: int, now: float) -> None:
        """Give back what was taken and not used."""
        raise NotImplementedError

    def spent(self, platform: str, now: float) -> int:
        """Items taken in the last 3,600 s."""
        raise NotImplementedError

    def egress(self, platform: str) -> Mapping[str, EgressState]:
        """Return what is known of every way to a platform, by name."""
        raise NotImplementedError

    def save_egress(self, states: Sequence[EgressState]) -> None:
        raise NotImplementedError

    # -- results

    def hand_over(self, queries: Sequence[str]) -> list[Stored]:
        """Return stored items of these queries, sorted by platform and id; nothing that was taken down."""
        raise NotImplementedError

    def counts(self, queries: Sequence[str]) -> Counts:
        raise NotImplementedError

    def take_down(self, platform: str, id: str, note: str, now: float) -> list[str]:
        """Record a takedown (of an item that need not be known) and return keys that nobody else needs any more."""
        raise NotImplementedError

    def takedowns(self) -> list[Takedown]:
        raise NotImplementedError

    def drop_asset(self, key: str) -> None:
        """Note that an object was deleted on purpose (retention): it is not fetched again."""
        raise NotImplementedError

    def import_archive(self, ids: Sequence[tuple[str, str]], now: float) -> int:
        """Note (platform, id) pairs as fetched elsewhere: they are never visited. Returns how many are new."""
        raise NotImplementedError

    def keys(self) -> Iterator[str]:
        """Yield the key of every object that a row refers to."""
        raise NotImplementedError
