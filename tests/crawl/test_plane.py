# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec import structs

from speechmill.core.errors import BlobError, WorkspaceError
from speechmill.core.remote import RightsOverride
from speechmill.crawl import plane
from speechmill.crawl._worker_process import Backends
from speechmill.crawl.plane import CrawlJob, CrawlSummary, Listing, Progress, Stop, crawl, run_crawl
from speechmill.crawl.workers import Answer, Asked, Limits
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.store.blobs import open_blobs
from speechmill.store.catalog import Catalog, Counts
from speechmill.store.workspace import Workspace


class Watching:
    """An observer that keeps what it is told, and does something when it is told so much."""

    def __init__(self, when: Callable[[Progress], None] | None = None) -> None:
        self.notes: list[str] = []
        self.last = Progress()
        self._when = when

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, progress: Progress) -> None:
        self.last = progress
        if self._when is not None:
            self._when(progress)


class Crawls:
    """Crawls of the source `fake` into one workspace."""

    def __init__(self, fake: ModuleType, folder: Path) -> None:
        self.module = fake
        self.folder = folder
        self.catalog = f"sqlite:///{folder / 'catalog.db'}"

    def job(
        self, *, query: str = "q", job: dict[str, Any] | None = None, options: Any = None, **config: Any
    ) -> CrawlJob:
        settings = {"processes": 1, "threads": 2, "spacing_s": 0.0, **(options or {})}
        listing = Listing("fake", self.module.Config(folder=str(self.folder), **config), query, "list")
        return CrawlJob(
            listings=(listing,),
            catalog=self.catalog,
            blobs=str(self.folder / "store"),
            workspace=self.folder / "workspace",
            options=CrawlOptions(**settings),
            **(job or {}),
        )

    def run(self, observer: Any = None, **fields: Any) -> CrawlSummary:
        return run_crawl(self.job(**fields), observer)

    def counts(self, *queries: str) -> Counts:
        with Catalog.open(self.catalog) as catalog:
            return catalog.counts(queries or ["q"])

    def asked(self, what: str = "") -> list[str]:
        """What the platform was asked, in order, since the last call."""
        path = self.folder / "asked.log"
        lines = [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if line.startswith(what) and not line.startswith(("open", "close"))]

    def originals(self) -> int:
        return len(list(open_blobs(str(self.folder / "store")).list("originals/")))

    def temporary(self) -> list[Path]:
        return list((self.folder / "workspace" / "crawl" / "tmp").iterdir())


class InThreads:
    """Workers without processes, for what has nothing to do with them."""

    def __init__(self, processes: int, threads: int, limits: Limits) -> None:
        self._backends = Backends()
        self._free = asyncio.Semaphore(processes * threads)
        self._pages = asyncio.Semaphore(1)

    async def ask(self, asked: Asked) -> Answer:
        async with self._pages if asked.verb == "discover" else self._free:
            return await asyncio.to_thread(self._backends.answer, asked, lambda _: None)

    async def close(self) -> None:
        self._backends.close()


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of today's tables, to copy: making them takes as long as a crawl."""
    path = tmp_path_factory.mktemp("catalog") / "catalog.db"
    Catalog.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def in_processes(fake: ModuleType, tmp_path: Path, empty_catalog: Path) -> Crawls:
    """Crawls by real worker processes."""
    shutil.copy(empty_catalog, tmp_path)
    return Crawls(fake, tmp_path)


@pytest.fixture
def crawls(in_processes: Crawls, monkeypatch: pytest.MonkeyPatch) -> Crawls:
    monkeypatch.setattr(plane, "ProcessWorkers", InThreads)
    return in_processes


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again after a tenth of a second what would wait for seconds or minutes."""
    from speechmill.crawl import _platform, reactions

    def soon(kind: Any, failures: int, now: float, *others: Any, pace: float = 1.0) -> float | None:
        return None if reactions.next_try(kind, failures, now, *others, pace=pace) is None else now + 0.1

    monkeypatch.setattr(_platform, "next_try", soon)


def test_everything_that_is_listed_and_accepted_is_stored(in_processes: Crawls) -> None:
    summary = in_processes.run(items=5, page=2, captioned=True)
    assert summary.ending == "finished"
    assert (summary.progress.found, summary.progress.described, summary.progress.stored) == (5, 5, 5)
    assert summary.progress.hours == pytest.approx(5 * 0.25 / 3600)
    assert in_processes.originals() == 5
    assert in_processes.counts().items["stored"] == 5
    assert in_processes.temporary() == []


def test_a_second_run_fetches_nothing_again(crawls: Crawls) -> None:
    crawls.run(items=5, page=2)
    crawls.asked()
    summary = crawls.run(items=5, page=2)
    assert (summary.ending, summary.progress.stored) == ("finished", 0)
    assert crawls.asked() == ["page None"]  # the first page holds nothing new


def test_a_second_run_fetches_what_is_new(crawls: Crawls) -> None:
    crawls.run(items=2, page=2)
    crawls.asked()
    summary = crawls.run(items=4, page=3)
    assert summary.progress.stored == 2
    assert crawls.asked("page") == ["page None", "page 3"]
    assert crawls.counts().items["stored"] == 4


def test_no_more_is_stored_than_the_limit_over_all_runs(crawls: Crawls) -> None:
    assert crawls.run(items=9, limit=2).progress.stored == 2
    assert crawls.run(items=9, limit=3).progress.stored == 1
    crawls.asked()
    assert crawls.run(items=9, limit=3).progress.stored == 0
    assert crawls.asked() == []  # nothing is asked where the limit is met


def test_what_is_not_kept_leaves_its_room_under_the_limit_to_another(crawls: Crawls) -> None:
    faults = {str(item): ("permanent",) for item in range(4)}
    assert crawls.run(items=9, limit=3, faults=faults).progress.stored == 3
    assert len(crawls.asked("fetch")) == 3


def test_pages_are_asked_only_as_they_are_needed(crawls: Crawls) -> None:
    crawls.run(items=100, page=5, limit=3)
    assert crawls.asked("page") == ["page None"]


def test_without_fetching_items_are_described_and_nothing_is_stored(crawls: Crawls) -> None:
    summary = crawls.run(items=4, job={"fetch": False})
    assert (summary.ending, summary.progress.described, summary.progress.stored) == ("finished", 4, 0)
    assert crawls.asked("fetch") == []
    assert crawls.counts().jobs["ready"] == 4
    assert crawls.run(items=4).progress.stored == 4


def test_what_is_described_already_is_not_asked_for_again(crawls: Crawls) -> None:
    crawls.run(items=4, job={"fetch": False})
    crawls.asked()
    summary = crawls.run(items=4, job={"fetch": False})
    assert (summary.ending, summary.progress.described) == ("finished", 4)
    assert crawls.asked("describe") == []


def test_the_limit_counts_what_would_be_fetched(crawls: Crawls) -> None:
    assert crawls.run(items=9, limit=4, job={"fetch": False}).progress.described == 4


def test_what_has_no_open_licence_is_held_and_counted(crawls: Crawls) -> None:
    summary = crawls.run(items=3, licence="standard", seconds=1.0)
    assert summary.progress.decided == {"licence-standard": 3}
    assert summary.progress.licence_hours == {"standard": pytest.approx(3 / 3600)}
    assert crawls.asked("fetch") == []
    assert crawls.counts().items["held"] == 3


def test_a_changed_policy_is_applied_to_what_was_held(crawls: Crawls) -> None:
    crawls.run(items=3, licence="standard")
    crawls.asked()
    summary = crawls.run(items=3, licence="standard", rights=RightsOverride("contract", "file 7"))
    assert summary.progress.stored == 3
    assert crawls.counts().items.get("held", 0) == 0


def test_what_todays_policy_refuses_leaves_its_room_under_the_limit_to_another(crawls: Crawls) -> None:
    consent = RightsOverride("consent", "letter 7")
    assert crawls.run(items=9, limit=2, licence="standard", rights=consent).progress.stored == 2
    crawls.asked()
    summary = crawls.run(items=9, limit=2)  # the others name a licence; those two were stored without one
    assert summary.progress.stored == 2
    assert crawls.counts().items["stored"] == 4


def test_a_budget_of_nothing_is_not_waited_for(crawls: Crawls) -> None:
    summary = crawls.run(options={"budgets": {"fake": 0}})
    assert (summary.ending, summary.progress.described) == ("budget", 0)


def test_an_answer_without_its_licence_is_asked_for_again(crawls: Crawls, quick_retries: None) -> None:
    summary = crawls.run(items=1, faults={"0": ("unlicensed",)})
    assert summary.progress.errors == {"incomplete": 1}
    assert (summary.progress.stored, summary.progress.decided) == (1, {})
    assert crawls.asked("describe") == ["describe 0", "describe 0"]


def test_what_is_gone_for_good_is_not_asked_for_again(crawls: Crawls) -> None:
    summary = crawls.run(items=3, faults={"1": ("permanent",)})
    assert (summary.ending, summary.progress.stored) == ("finished", 2)
    crawls.asked()
    crawls.run(items=3)
    assert crawls.asked() == ["page None"]
    assert crawls.counts().jobs["failed"] == 1


def test_what_failed_for_a_while_is_tried_again(crawls: Crawls, quick_retries: None) -> None:
    summary = crawls.run(items=3, faults={"1": ("net", "incomplete"), "media-2": ("net",)})
    assert (summary.ending, summary.progress.stored) == ("finished", 3)
    assert summary.progress.errors == {"net": 2, "incomplete": 1}


def test_without_waiting_what_is_due_later_is_left(crawls: Crawls) -> None:
    summary = crawls.run(items=2, faults={"1": ("format",)}, job={"wait": False})
    assert (summary.ending, summary.progress.stored) == ("waiting", 1)
    assert crawls.counts().errors == {"format": 1}


def test_an_item_that_fails_too_often_is_set_aside(crawls: Crawls, quick_retries: None) -> None:
    faults = {"0": ("incomplete",) * 9}
    summary = crawls.run(items=2, faults=faults, options={"max_failures": 3})
    assert summary.ending == "finished"
    assert crawls.asked("describe 0") == ["describe 0"] * 3
    assert crawls.counts().jobs["quarantined"] == 1


def test_an_item_whose_media_fails_stays_described(crawls: Crawls) -> None:
    crawls.run(items=1, faults={"media-0": ("permanent",)})
    with Catalog.open(crawls.catalog) as catalog:
        assert [one.title for _item, _query, one in catalog.undecided(["q"], ["accept"])] == ["Item 0"]
    assert crawls.counts().jobs["failed"] == 1


def test_killed_workers_cost_no_item(in_processes: Crawls, quick_retries: None) -> None:
    summary = in_processes.run(items=6, faults={"1": ("crash",), "4": ("crash",)})
    assert (summary.ending, summary.progress.stored) == ("finished", 6)
    assert set(summary.progress.errors) == {"net"}
    assert in_processes.temporary() == []


def test_a_bot_check_stops_its_way_and_the_operator_is_told(crawls: Crawls) -> None:
    observer = Watching()
    summary = crawls.run(observer, items=9, faults={"0": ("bot",)}, options={"threads": 1})
    assert summary.ending == "waiting"
    assert "egress direct met a bot check: stopped" in observer.notes[0]
    crawls.asked()
    assert crawls.run(items=9).ending == "waiting"  # nor by another run
    assert crawls.asked() == []


def test_a_budget_holds_over_runs(crawls: Crawls) -> None:
    fields = {"items": 9, "options": {"budgets": {"fake": 3}}, "job": {"wait": False}}
    summary = crawls.run(**fields)
    assert (summary.ending, summary.progress.stored) == ("budget", 3)
    assert summary.progress.budget_left == {"fake": 0}
    assert crawls.run(**fields).progress.stored == 0


def test_what_was_not_used_of_the_budget_is_given_back(crawls: Crawls) -> None:
    crawls.run(items=9, limit=2, options={"budgets": {"fake": 100}})
    with Catalog.open(crawls.catalog) as catalog:
        assert catalog.spent("fake", time.time()) == 2


def test_a_listing_that_fails_is_asked_again(crawls: Crawls, quick_retries: None) -> None:
    summary = crawls.run(items=4, page=2, faults={"page-0": ("incomplete",) * 2, "page-2": ("format",)})
    assert (summary.ending, summary.progress.stored) == ("finished", 4)


def test_a_listing_that_fails_too_often_is_left_for_another_run(crawls: Crawls, quick_retries: None) -> None:
    summary = crawls.run(items=4, page=2, faults={"page-2": ("incomplete",) * 5})
    assert (summary.ending, summary.progress.stored) == ("waiting", 2)
    summary = crawls.run(items=4, page=2)
    assert (summary.ending, summary.progress.stored) == ("finished", 2)


def test_a_listing_that_is_gone_is_told(crawls: Crawls) -> None:
    observer = Watching()
    summary = crawls.run(observer, faults={"page-0": ("permanent",)})
    assert summary.ending == "finished"
    assert observer.notes == ["fake list: its listing ended with fake-permanent: asked through None"]


def test_what_was_taken_down_is_not_visited(crawls: Crawls) -> None:
    with Catalog.open(crawls.catalog) as catalog:
        catalog.take_down("fake", "1", "asked by its author", 0.0)
    assert crawls.run(items=3).progress.stored == 2
    assert crawls.asked("describe 1") == []


def test_visits_of_many_queries_share_a_backend_where_they_need_no_query(
    crawls: Crawls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def visiting(config: Any) -> Any:
        return structs.replace(config, name="", items=0)

    monkeypatch.setattr(crawls.module, "visiting", visiting, raising=False)
    one = crawls.job(items=2, options={"threads": 1})
    other = crawls.job(items=4, query="r", name="other")
    summary = run_crawl(structs.replace(one, listings=one.listings + other.listings))
    assert summary.progress.stored == 4
    opened = [line for line in (crawls.folder / "asked.log").read_text().splitlines() if "open" in line]
    assert len(opened) == 3  # one that reads each listing, and one that visits


def test_two_queries_that_find_the_same_store_it_once(crawls: Crawls) -> None:
    one = crawls.job(items=4)
    other = crawls.job(items=6, query="r", name="other")
    summary = run_crawl(structs.replace(one, listings=one.listings + other.listings))
    assert summary.progress.stored == 6
    assert len(crawls.asked("fetch")) == 6


def test_a_full_disk_ends_the_crawl_and_leaves_nothing_leased(in_processes: Crawls) -> None:
    with pytest.raises(WorkspaceError, match="no space is left"):
        in_processes.run(items=9, faults={"media-3": ("full",)})
    assert in_processes.counts().jobs.get("leased", 0) == 0
    assert in_processes.temporary() == []
    summary = in_processes.run(items=9)
    assert in_processes.counts().items["stored"] == 9
    assert summary.ending == "finished"


def test_a_store_that_refuses_ends_the_crawl_and_loses_nothing(crawls: Crawls, monkeypatch: pytest.MonkeyPatch) -> None:
    from speechmill.store.blobs.folder import FolderBlobs

    def refuse(*_: object) -> bool:
        raise BlobError("bucket: access denied", permanent=True)

    with monkeypatch.context() as patched:
        patched.setattr(FolderBlobs, "put", refuse)
        with pytest.raises(BlobError, match="access denied"):
            crawls.run(items=3)
    assert crawls.counts().jobs["ready"] == 3
    assert crawls.run(items=3).progress.stored == 3


def test_what_it_writes_is_no_left_over_to_be_collected(crawls: Crawls) -> None:
    refused: list[str] = []

    def collect(_progress: Progress) -> None:
        try:
            with Workspace.open(crawls.folder / "workspace").joined(alone=True):
                refused.append("")
        except WorkspaceError as error:
            refused.append(str(error))

    crawls.run(observer=Watching(collect))
    assert refused
    assert all("in use" in one for one in refused)


def test_asked_to_stop_it_ends_in_order(crawls: Crawls) -> None:
    async def main() -> CrawlSummary:
        stop = Stop()
        watching = Watching(lambda progress: stop.set("interrupted") if progress.stored else None)
        return await crawl(crawls.job(items=200, delay_s=0.05), watching, stop)

    summary = asyncio.run(main())
    assert summary.ending == "interrupted"
    assert 0 < summary.progress.stored < 200
    counts = crawls.counts()
    assert counts.jobs.get("leased", 0) == 0
    assert counts.items["stored"] == summary.progress.stored == crawls.originals()


def test_visits_that_do_not_end_in_time_are_given_back(in_processes: Crawls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "GRACE_S", 0.2)
    monkeypatch.setattr("speechmill.crawl.workers.CLOSE_S", 0.2)
    observer, stop = Watching(), Stop()
    job = in_processes.job(items=9, faults={str(item): ("hang",) for item in range(9)})

    async def main() -> CrawlSummary:
        crawling = asyncio.create_task(crawl(job, observer, stop))
        while (in_processes.folder / "fault-0-0").exists() + (in_processes.folder / "fault-1-0").exists() < 2:
            await asyncio.sleep(0.01)  # both threads hang when it is over
        stop.set("deadline")
        return await crawling

    summary = asyncio.run(main())
    assert (summary.ending, summary.progress.described) == ("deadline", 0)
    assert observer.notes == ["visits that were under way were cut off; they are given back"]
    assert in_processes.counts().jobs == {"ready": 9}
    assert in_processes.temporary() == []


def test_a_deadline_ends_it(crawls: Crawls) -> None:
    summary = crawls.run(items=200, delay_s=0.05, job={"deadline_s": 1.0})
    assert summary.ending == "deadline"
    assert crawls.counts().jobs.get("leased", 0) == 0


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import fake_source
from speechmill.crawl import plane
from speechmill.crawl._worker_process import Backends
from speechmill.crawl.plane import CrawlJob, Listing, run_crawl
from speechmill.pipeline.crawl_options import CrawlOptions
if __name__ == "__main__":
    folder = Path(sys.argv[2])
    config = fake_source.Config(folder=str(folder), items=40, delay_s=0.2)
    print(run_crawl(CrawlJob(
        listings=(Listing("fake", config, "q", "list"),), catalog=f"sqlite:///{folder / 'catalog.db'}",
        blobs=str(folder / "store"), workspace=folder / "workspace",
        options=CrawlOptions(processes=1, threads=2, spacing_s=0.0),
    )).ending)
"""


def start(crawls: Crawls) -> subprocess.Popen[str]:
    """Run a crawl as a process of its own, and wait until it has stored something."""
    script = crawls.folder / "script.py"
    script.write_text(SCRIPT)
    plugin = Path(__file__).with_name("plugin")
    command = [sys.executable, str(script), str(plugin), str(crawls.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not crawls.originals() and process.poll() is None:
        time.sleep(0.02)
    return process


def test_a_crawl_that_was_killed_is_taken_up_at_once(in_processes: Crawls) -> None:
    with start(in_processes) as process:
        process.send_signal(signal.SIGKILL)
    before = in_processes.counts()
    assert 0 < before.jobs["leased"] <= 40
    summary = in_processes.run(items=40)
    assert summary.ending == "finished"
    assert in_processes.counts().items["stored"] == 40 == in_processes.originals()
    assert in_processes.temporary() == []


def test_ctrl_c_ends_it_in_order(in_processes: Crawls) -> None:
    with start(in_processes) as process:
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "interrupted\n")
    assert in_processes.counts().jobs.get("leased", 0) == 0
    assert in_processes.temporary() == []
