# SPDX-License-Identifier: Apache-2.0
"""The catalog: everything known up to stored audio, in SQLite or PostgreSQL, for one crawler or many.

Tables: queries, items, finds (which query found which item), jobs (one an item), attempts, assets, captions, egress,
spending, takedowns. Every method is one transaction, run again for up to a minute where the database is busy or its
server restarts, and then done once; what fails for good is a WorkspaceError. Times are seconds since 1970, given by
the caller, so that a test can turn the clock. An `owner` is one crawling process; what it leases it holds until the
lease ran out and somebody else took it, and a call for what it no longer holds raises LeaseLost and changes nothing.
An empty `queries` stands for none. An item belongs to the first query that found it, of those that are asked for.
Threads share a Catalog; a process opens its own.

address      where the database is, and what must not be said of it
schema       the tables; migrations/ has how they came to be
database     transactions that survive a busy file and a restarted server
opening      open and migrate
discovery    listings become items, finds and jobs
membership   which items are a query's
jobs         leases and outcomes
budgets      items an hour
ways         what visits cost, and the health of each egress
assets       objects and who needs them
takedowns    what must never be fetched again
results      hand-over, decisions to make, counts
statistics   sums for tables
texts        strangers' texts in a form that both databases take
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self

from msgspec import Struct

from speechmill.core.errors import MissingDependency, WorkspaceError
from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Kind, Page, Ref, Verdict

if TYPE_CHECKING:
    # SQLAlchemy is loaded by `Catalog.open`, which imports these: from then on they are names of this package.
    from speechmill.store.catalog import assets, budgets, discovery, jobs, results, statistics, takedowns, ways
    from speechmill.store.catalog.database import Database

ItemState = Literal["found", "held", "skipped", "stored", "failed", "taken-down"]
JobState = Literal["ready", "leased", "done", "failed", "quarantined"]
GroupedBy = Literal["category", "channel", "language", "licence", "captions", "query"]


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
    dropped: bool = False  # the object was deleted on purpose: what was made of it is all there is


class Counts(Struct, frozen=True):
    """Items of some queries."""

    items: Mapping[ItemState, int]
    hours: Mapping[str, float]  # by licence state, of described items
    stored_hours: float
    errors: Mapping[Kind, int]  # of jobs that have not succeeded since
    jobs: Mapping[JobState, int]


class Costs(Struct, frozen=True, kw_only=True):
    """What one kind of query found, and what visiting it cost."""

    kind: str
    items: int
    described: int
    complete: int  # described with no field missing
    missing_fields: int  # over all described items
    stored: int
    hours: float  # of described items
    stored_hours: float
    visited: int = 0  # items with an attempt
    attempts: int = 0
    succeeded: int = 0  # attempts
    seconds: float = 0.0
    requests: int = 0
    bytes: int = 0


class Group(Struct, frozen=True):
    """Described items that have one value in common."""

    value: str | None  # None: not stated
    name: str | None  # to show: a channel's name in place of its id
    items: int
    hours: float
    stored: int
    stored_hours: float
    manual_captions: int  # items that have some
    automatic_captions: int  # items that have these alone


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
        """Open (SQLite: make) and migrate the database.

        Raises ConfigError (the address), MissingDependency, WorkspaceError; passwords are never in a message.

        address: a SQLAlchemy URL. `sqlite:///path` gets WAL and a busy timeout; PostgreSQL reads PGPASSWORD and
        ~/.pgpass, so that no password stands in a corpus file. A server that starts is waited for; one that isn't
        there is not.
        """
        try:
            from speechmill.store.catalog.opening import open_database
        except ImportError as error:
            raise MissingDependency(
                f"a catalog needs {error.name}. Install it with: pip install 'speechmill[crawl]'"
            ) from None
        return cls(open_database(address))

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        return f"Catalog({self._database.address.shown!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    # -- discovery

    def query(self, id: str, platform: str, kind: str) -> Query:
        """Return a query's state, making it where it is new."""
        return self._database.write(lambda c: discovery.query(c, id, platform, kind))

    def save_page(
        self, query: str, page: Page, skipped: Mapping[str, Decision], now: float, *, restart: bool = False
    ) -> int:
        """Keep a page: new refs become items with a ready job, or skipped ones without. Returns how many are new.

        skipped: by ref id. A ref known from elsewhere is only noted as a find of this query. The cursor moves with it,
        in the same transaction; a listing that had ended stays so. restart: the page is the first of a new pass over
        a listing that had ended. A ref that was skipped before any visit, and isn't now, gets its job, as this query's.
        Raises WorkspaceError for a query that `query` has not made.
        """
        return self._database.write(lambda c: discovery.save_page(c, query, page, skipped, now, restart))

    # -- work

    def lease(
        self, owner: str, queries: Sequence[str], count: int, lease_s: float, now: float, platforms: Sequence[str] = ()
    ) -> list[Job]:
        """Take ready jobs (and leased ones whose lease ran out) that are due, oldest first; skips those locked.

        Items that other queries found first come after all others. platforms: only of queries of these; (): of all.
        """
        return self._database.write(lambda c: jobs.lease(c, owner, queries, count, lease_s, now, platforms))

    def renew(self, owner: str, lease_s: float, now: float) -> int:
        """Prolong everything that an owner holds, what ran out and nobody took too. Returns how many."""
        return self._database.write(lambda c: jobs.renew(c, owner, lease_s, now))

    def release(self, owner: str, items: Sequence[int]) -> None:
        """Give jobs back untouched."""
        self._database.write(lambda c: jobs.release(c, owner, items))

    def described(self, owner: str, item: int, description: Description, decision: Decision, now: float) -> None:
        """Keep what is known of an item. Verdicts hold and skip end its job; accept leaves it leased."""
        self._database.write(lambda c: jobs.described(c, owner, item, description, decision, now))

    def intend(self, owner: str, item: int, key: str) -> None:
        """Note which object is about to be written, so that a crash leaves no orphan that nobody knows."""
        self._database.write(lambda c: assets.intend(c, owner, item, key))

    def stored(
        self, owner: str, item: int, asset: Asset, captions: Sequence[CaptionAsset], now: float
    ) -> tuple[str, ...]:
        """Add the asset rows and end the job. Returns keys that were intended earlier and now belong to nobody.

        Raises WorkspaceError for an item that was never `described`.
        """
        return self._database.write(lambda c: assets.stored(c, owner, item, asset, captions, now))

    def failed(
        self, owner: str, item: int, kind: Kind, reason: str, detail: str, now: float, retry_at: float | None
    ) -> None:
        """Note a failure; retry_at None: for good where kind is permanent, else set aside (quarantined).

        In both of the latter the item's state is "failed", until a `retry`.
        """
        self._database.write(lambda c: jobs.failed(c, owner, item, kind, reason, detail, now, retry_at))

    def attempt(self, attempts: Sequence[Attempt]) -> None:
        """Append what visits cost."""
        self._database.write(lambda c: ways.attempt(c, attempts))

    def retry(self, queries: Sequence[str], kinds: Sequence[Kind], now: float) -> int:
        """Make set-aside, waiting and (where kinds has "permanent") failed jobs ready now. Returns how many.

        Their failures are counted from 0 again.
        """
        return self._database.write(lambda c: jobs.retry(c, queries, kinds, now))

    def reconsider(self, decisions: Mapping[int, Decision], now: float) -> None:
        """Apply new decisions to described items without a visit: what is accepted now gets a ready job.

        Visits that go on, stored, failed and imported items and takedowns keep their state.
        """
        self._database.write(lambda c: jobs.reconsider(c, decisions, now))

    def undecided(self, queries: Sequence[str], verdicts: Sequence[Verdict]) -> Iterator[tuple[int, str, Description]]:
        """Yield (item, query, description) of described items with these verdicts."""
        return results.undecided(self._database, queries, verdicts)

    def next_due(self, queries: Sequence[str], now: float) -> float | None:
        """Seconds until some job is due; 0 where one is, None where none is left."""
        return self._database.read(lambda c: jobs.next_due(c, queries, now))

    # -- budgets and ways

    def spend(self, platform: str, per_hour: int | None, asked: int, now: float) -> Grant:
        """Take items from a platform's budget: at most `per_hour` in any 3,600 s, whoever asks and by whichever way."""
        return self._database.write(lambda c: budgets.spend(c, platform, per_hour, asked, now))

    def refund(self, platform: str, count: int, now: float) -> None:
        """Give back what was taken within the last hour and not used."""
        self._database.write(lambda c: budgets.refund(c, platform, count, now))

    def spent(self, platform: str, now: float) -> int:
        """Items taken in the last 3,600 s."""
        return self._database.read(lambda c: budgets.spent(c, platform, now))

    def egress(self, platform: str) -> Mapping[str, EgressState]:
        """Return what is known of every way to a platform, by name."""
        return self._database.read(lambda c: ways.egress(c, platform))

    def save_egress(self, states: Sequence[EgressState]) -> None:
        self._database.write(lambda c: ways.save_egress(c, states))

    # -- results

    def hand_over(self, queries: Sequence[str]) -> list[Stored]:
        """Return stored items of these queries, sorted by platform and id; nothing that was taken down.

        Items whose object was dropped are among them, and say so.
        """
        return self._database.read(lambda c: results.hand_over(c, queries))

    def counts(self, queries: Sequence[str]) -> Counts:
        return self._database.read(lambda c: results.counts(c, queries))

    def take_down(self, platform: str, id: str, note: str, now: float) -> list[str]:
        """Record a takedown (of an item that need not be known) and return keys that nobody else needs any more.

        Asked again it returns the same until `drop_asset` notes that they are deleted: a crash in between loses none.
        """
        return self._database.write(lambda c: takedowns.take_down(c, platform, id, note, now))

    def takedowns(self) -> list[Takedown]:
        return self._database.read(takedowns.takedowns)

    def drop_asset(self, key: str) -> None:
        """Note that an object (media or captions) was deleted on purpose (retention): it is not fetched again."""
        self._database.write(lambda c: assets.drop_asset(c, key))

    def import_archive(self, ids: Sequence[tuple[str, str]], now: float) -> int:
        """Note (platform, id) pairs as fetched elsewhere: they are never visited. Returns how many are new."""
        return self._database.write(lambda c: discovery.import_archive(c, ids, now))

    def keys(self) -> Iterator[str]:
        """Yield the key of every object that a row refers to, intended ones too, once and in order.

        Not of those that were dropped or taken down: what a store holds beside these keys may be deleted.
        """
        return assets.keys(self._database)

    # -- statistics

    def costs(self, queries: Sequence[str]) -> list[Costs]:
        """Return what each kind of query found and what visiting it cost; an item counts for its first query."""
        return self._database.read(lambda c: statistics.costs(c, queries))

    def groups(self, queries: Sequence[str], by: GroupedBy) -> list[Group]:
        """Return described items by what they have in common, largest group first.

        by: "captions" tells "manual" (whatever else there is), "automatic" (alone) and "none" apart.
        """
        return self._database.read(lambda c: statistics.groups(c, queries, by))
