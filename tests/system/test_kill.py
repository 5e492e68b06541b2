# SPDX-License-Identifier: Apache-2.0
"""A crawl that is killed at random moments and started again has all that it should, once, and nothing else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import psutil
import pytest
from tests.services.postgres import Server
from tests.services.s3 import S3Server
from tests.system.checks import check_every_row_has_its_object, check_whole, listed
from tests.system.conftest import MakeProject
from tests.system.projects import Project, visits

from replica.handle import Replica

CHANNELS, PER_CHANNEL = 2, 80
KILLS = 5  # of one crawl
LOST_BY_A_KILL = 24  # items of the budget that a killed crawl had taken: granted, or under way
BUDGET = CHANNELS * PER_CHANNEL + (KILLS + 1) * LOST_BY_A_KILL
SOAK_ROUNDS = 10  # fifty kills for each kind of store
IN_SOAK = [pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, SOAK_ROUNDS + 2)]
SEEDS = pytest.mark.parametrize("seed", [pytest.param(1, marks=pytest.mark.system), *IN_SOAK])


@pytest.fixture(scope="module")
def world(start_replica: Callable[..., Replica]) -> Replica:
    return start_replica(
        channels=CHANNELS, videos_per_channel=PER_CHANNEL, search_results=CHANNELS * PER_CHANNEL, latency_s=0.02
    )


@pytest.fixture
def replica(world: Replica) -> Replica:
    world.control(restore=True)
    return world


@SEEDS
def test_killed_crawls_on_sqlite_and_a_folder_lose_and_double_nothing(
    seed: int, make_project: MakeProject, replica: Replica
) -> None:
    kill_and_finish(make_project(replica, crawl={"budgets": {"youtube": BUDGET}}), random.Random(seed))


@SEEDS
def test_killed_crawls_on_postgresql_and_s3_lose_and_double_nothing(
    seed: int, make_project: MakeProject, replica: Replica, postgres: Server, s3_server: S3Server
) -> None:
    project = make_project(replica, postgres=postgres, s3=s3_server, crawl={"budgets": {"youtube": BUDGET}})
    kill_and_finish(project, random.Random(seed))


@SEEDS
def test_workers_that_outlive_the_command_for_a_moment_leave_nothing(
    seed: int, make_project: MakeProject, replica: Replica
) -> None:
    project = make_project(replica, crawl={"budgets": {"youtube": BUDGET}})
    kill_and_finish(project, random.Random(seed), alone=True)


@pytest.mark.system
def test_killed_workers_cost_no_item(make_project: MakeProject, replica: Replica) -> None:
    project = make_project(replica)
    crawl, rng = project.start(), random.Random(1)
    for _ in range(4):
        asked = visits(replica)
        crawl.wait_until(lambda asked=asked: visits(replica) > asked + 8)
        rng.choice(crawl.children()).kill()
    crawl.wait()
    check_whole(project, listed(CHANNELS, PER_CHANNEL))
    assert remaining(crawl.pid) == []


def kill_and_finish(project: Project, rng: random.Random, *, alone: bool = False) -> None:
    """Kill a crawl again and again, then let it finish, and look at everything that it left."""
    for number in range(KILLS):
        kill_somewhere(project, rng, early=number == 0, alone=alone)
        if number:
            check_every_row_has_its_object(project)
    project.start().wait()
    check_whole(project, listed(CHANNELS, PER_CHANNEL))
    check_budget(project)


def kill_somewhere(project: Project, rng: random.Random, *, early: bool, alone: bool) -> None:
    """Kill a crawl after some random visits of its own; early: before it has properly begun."""
    asked = visits(project.replica)
    crawl = project.start()
    if early:
        time.sleep(rng.uniform(0.5, 3.0))
    else:
        target = asked + rng.randint(1, CHANNELS * PER_CHANNEL // (KILLS + 1))
        crawl.wait_until(lambda: visits(project.replica) >= target)
        time.sleep(rng.uniform(0.0, 0.3))
    assert crawl.runs, "it was over before it could be killed"
    if alone:
        crawl.kill_command()
    else:
        crawl.kill()


def check_budget(project: Project) -> None:
    """No more was asked than was taken from the budget, and no more taken than there is."""
    with project.catalog() as catalog:
        spent = catalog.spent("youtube", time.time())
    assert visits(project.replica) <= spent <= BUDGET


def remaining(group: int) -> list[psutil.Process]:
    """Processes of a crawl that is over. One that only waits for its end to be read is none any more."""
    found = [one for one in psutil.process_iter() if one.pid != group and _group(one.pid) == group]
    return [one for one in found if not _is_over(one)]


def _is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _group(pid: int) -> int | None:
    import os

    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
