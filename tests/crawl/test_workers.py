# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from tests.services.processes import gone

from speechmill.core.errors import FetchError, Unsupported
from speechmill.core.remote import Ref
from speechmill.crawl.workers import Answer, Asked, Limits, ProcessWorkers, wanted_of
from speechmill.sources import Connection

REF = Ref("fake", "0", "https://fake.test/0", duration=0.25)


def run(
    work: Callable[[ProcessWorkers], Coroutine[Any, Any, Any]], processes: int = 1, threads: int = 2, **limits: Any
) -> Any:
    async def main() -> Any:
        workers = ProcessWorkers(processes, threads, Limits(**limits))
        try:
            return await work(workers)
        finally:
            await workers.close()

    return asyncio.run(main())


@pytest.fixture
def ask(fake: ModuleType, tmp_path: Path) -> Callable[..., Asked]:
    """Make a call to the source `fake`: ask("visit", "0", faults={...})."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def make(
        verb: Any, item: str = "0", *, proxy: str | None = None, cursor: str | None = None, **config: Any
    ) -> Asked:
        return Asked(
            backend="fake",
            config=fake.Config(folder=str(tmp_path), **config),
            connection=Connection(temporary, proxy=proxy),
            verb=verb,
            cursor=cursor,
            ref=Ref("fake", item, f"https://fake.test/{item}", duration=0.25),
        )

    return make


def asked(folder: Path) -> list[str]:
    """What the source was asked, without who did."""
    return [line.partition(" ")[2] for line in (folder / "asked.log").read_text().splitlines()]


def test_a_visit_comes_back_described_decided_and_fetched(ask: Callable[..., Asked], tmp_path: Path) -> None:
    answer: Answer = run(lambda workers: workers.ask(ask("visit", captioned=True)))
    assert answer.error is None
    assert answer.description is not None
    assert answer.description.title == "Item 0"
    assert answer.decision is not None
    assert answer.decision.verdict == "accept"
    assert [caption.language for caption in answer.captions] == ["en"]
    assert answer.fetched is not None
    assert answer.fetched.path.parent == tmp_path / "tmp"
    assert answer.fetched.path.stat().st_size == answer.fetched.size
    assert answer.duration == pytest.approx(0.25)
    assert answer.requests == 3


def test_one_thread_keeps_its_backend_between_calls(ask: Callable[..., Asked], tmp_path: Path) -> None:
    async def thrice(workers: ProcessWorkers) -> None:
        for item in ("0", "1", "2"):
            await workers.ask(ask("describe", item))

    run(thrice)
    assert asked(tmp_path) == ["open direct", "describe 0", "describe 1", "describe 2", "close"]


def test_each_way_and_each_config_has_a_backend_of_its_own(ask: Callable[..., Asked], tmp_path: Path) -> None:
    async def both(workers: ProcessWorkers) -> None:
        await workers.ask(ask("describe"))
        await workers.ask(ask("describe", proxy="http://proxy.test:1"))
        await workers.ask(ask("describe", name="another query"))

    run(both)
    assert asked(tmp_path).count("open direct") == 2
    assert asked(tmp_path).count("open http://proxy.test:1") == 1


def test_a_listing_is_read_on_by_the_backend_that_began_it(ask: Callable[..., Asked], tmp_path: Path) -> None:
    async def pages(workers: ProcessWorkers) -> None:
        for cursor in (None, "1", "2"):
            await asyncio.gather(
                workers.ask(ask("discover", cursor=cursor, page=1)), workers.ask(ask("describe", page=1))
            )

    run(pages, processes=2)
    lines = [line.split(" ", 1) for line in (tmp_path / "asked.log").read_text().splitlines()]
    assert len({process for process, what in lines if what.startswith("page")}) == 1
    assert len([what for _process, what in lines if what.startswith("open")]) == 2  # one for pages, one for visits


def test_no_more_calls_are_under_way_than_there_are_threads(ask: Callable[..., Asked], tmp_path: Path) -> None:
    async def six(workers: ProcessWorkers) -> None:
        await asyncio.gather(*(workers.ask(ask("describe", str(item), delay_s=0.05)) for item in range(6)))

    run(six, threads=2)
    assert asked(tmp_path).count("open direct") == 2


def test_a_killed_worker_costs_its_calls_and_is_replaced(ask: Callable[..., Asked]) -> None:
    async def killed(workers: ProcessWorkers) -> tuple[Answer, Answer, list[int], list[int]]:
        before = workers.processes
        lost = await workers.ask(ask("describe", "0", faults={"0": ("crash",)}))
        after = await workers.ask(ask("describe", "1"))
        return lost, after, before, workers.processes

    lost, after, before, replaced = run(killed)
    assert (lost.error.kind, lost.error.reason) == ("net", "worker-died")
    assert after.description.title == "Item 1"
    assert len(replaced) == 1
    assert replaced != before


def test_what_a_dead_worker_was_fetching_is_cleared(ask: Callable[..., Asked], tmp_path: Path) -> None:
    async def killed(workers: ProcessWorkers) -> None:
        await workers.ask(ask("describe", "0"))
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        await workers.ask(ask("describe", "0", faults={"0": ("crash",)}))

    run(killed)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_call_that_hangs_is_answered_and_the_others_of_its_process_live(
    ask: Callable[..., Asked], tmp_path: Path
) -> None:
    async def hanging(workers: ProcessWorkers) -> tuple[Answer, Answer, Answer]:
        beside = asyncio.create_task(workers.ask(ask("visit", "1", faults={"media-1": ("wait",)})))
        while "fetch 1" not in "".join(path.read_text() for path in tmp_path.glob("asked.log")):
            await asyncio.sleep(0.01)
        workers._active[0]._limits = Limits(listing_s=0.2)  # only now: a process takes its time to start
        late = await workers.ask(ask("describe", "0", faults={"0": ("hang",)}))
        (tmp_path / "go-on").touch()
        return late, await beside, await workers.ask(ask("describe", "2"))

    late, lived, after = run(hanging)
    assert (late.error.kind, late.error.reason) == ("net", "timeout")
    assert lived.description.title == "Item 1"
    assert after.description.title == "Item 2"


def test_a_process_that_has_grown_is_replaced_after_its_call(ask: Callable[..., Asked]) -> None:
    async def grown(workers: ProcessWorkers) -> tuple[Answer, list[int], list[int]]:
        before = workers.processes
        answer = await workers.ask(ask("describe"))
        return answer, before, workers.processes

    answer, before, after = run(grown, recycle_mb=1)
    assert answer.description.title == "Item 0"
    assert before != after


def test_a_process_beyond_its_memory_ends(ask: Callable[..., Asked]) -> None:
    async def ended(workers: ProcessWorkers) -> Answer:
        return await workers.ask(ask("describe", delay_s=30.0))

    assert run(ended, memory_mb=1).error.reason == "worker-died"


def test_secrets_are_not_in_what_went_wrong(ask: Callable[..., Asked]) -> None:
    proxy = "http://someone:canary-password@proxy.test:1"

    async def both(workers: ProcessWorkers) -> list[Answer]:
        bug = await workers.ask(ask("describe", "0", proxy=proxy, faults={"0": ("bug",)}))
        return [bug, await workers.ask(ask("describe", "1", proxy=proxy, faults={"1": ("rate",)}))]

    bug, rate = run(both)
    assert (bug.error.kind, bug.error.reason) == ("format", "error-KeyError")
    assert (rate.error.kind, rate.error.reason) == ("rate", "fake-rate")
    assert "proxy.test" in rate.error.detail
    assert "canary-password" not in f"{bug.error} {rate.error} {rate!r}"


def test_a_backend_whose_packages_are_missing_says_so(ask: Callable[..., Asked]) -> None:
    from msgspec import structs

    answer = run(lambda workers: workers.ask(structs.replace(ask("describe"), backend="nowhere")))
    assert answer.error.reason == "error-UnknownBackend"


def test_processes_that_all_die_at_once_end_the_crawl(ask: Callable[..., Asked]) -> None:
    async def dying(workers: ProcessWorkers) -> None:
        for item in range(20):
            answer = await workers.ask(ask("describe", str(item), faults={str(item): ("crash",)}))
            assert answer.error.reason == "worker-died"

    with pytest.raises(Unsupported, match="5 worker processes of the crawl died before they answered"):
        run(dying)


def test_closing_leaves_no_process(ask: Callable[..., Asked]) -> None:
    async def used(workers: ProcessWorkers) -> list[int]:
        await workers.ask(ask("describe"))
        return workers.processes

    processes = run(used, processes=2)
    assert [process for process in processes if psutil.pid_exists(process)] == []


def test_calls_under_way_are_answered_when_the_pool_closes(ask: Callable[..., Asked]) -> None:
    async def main() -> tuple[Answer, Answer]:
        workers = ProcessWorkers(1, 1, Limits())
        first = asyncio.create_task(workers.ask(ask("describe", "0", delay_s=0.5)))
        waiting = asyncio.create_task(workers.ask(ask("describe", "1")))
        await asyncio.sleep(0.1)
        await workers.close()
        return await first, await waiting

    done, refused = asyncio.run(main())
    assert done.description.title == "Item 0"  # it was allowed to end
    assert refused.error.reason == "worker-died"


def test_workers_end_with_their_parent(fake: ModuleType, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, time\n"
        "from speechmill.crawl.workers import Limits, ProcessWorkers\n"
        "async def main():\n"
        "    workers = ProcessWorkers(1, 1, Limits())\n"
        "    print(workers.processes[0], flush=True)\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.2)
        parent.kill()
        parent.wait()
    psutil.wait_procs([worker], timeout=60)
    assert gone(worker)


def test_ctrl_c_is_left_to_the_parent(ask: Callable[..., Asked]) -> None:
    async def interrupted(workers: ProcessWorkers) -> Answer:
        await workers.ask(ask("describe", "0"))
        os.kill(workers.processes[0], signal.SIGINT)
        return await workers.ask(ask("describe", "1"))

    assert run(interrupted).description.title == "Item 1"


def test_a_config_that_holds_no_policy_is_refused() -> None:
    with pytest.raises(TypeError, match=r"does not inherit core\.remote\.Wanted"):
        wanted_of(object())


def test_an_error_keeps_how_long_to_wait() -> None:
    from speechmill.crawl.visit import fault

    error = fault(FetchError("rate", "too-many", "slow down", retry_after=30.0), str)
    assert (error.kind, error.reason, error.detail, error.retry_after) == ("rate", "too-many", "slow down", 30.0)
