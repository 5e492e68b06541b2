# SPDX-License-Identifier: Apache-2.0
"""What is away for a while delays a crawl, and costs it nothing; crawls that share a catalog share its work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.services.postgres import Server
from tests.services.s3 import S3Server
from tests.system.checks import check_whole, listed
from tests.system.conftest import MakeProject
from tests.system.projects import Crawling, visits

from replica.handle import Replica

pytestmark = pytest.mark.system

CHANNELS, PER_CHANNEL = 2, 60
VIDEOS = listed(CHANNELS, PER_CHANNEL)
LATENCY_S = 0.05


@pytest.fixture(scope="module")
def world(start_replica: Callable[..., Replica]) -> Replica:
    return start_replica(
        channels=CHANNELS, videos_per_channel=PER_CHANNEL, search_results=len(VIDEOS), latency_s=LATENCY_S
    )


@pytest.fixture
def replica(world: Replica) -> Replica:
    world.control(restore=True)
    return world


@pytest.fixture
def flawed_s3(s3_server: S3Server) -> Iterator[S3Server]:
    yield s3_server
    s3_server.heal()


def wait_for_visits(crawl: Crawling, replica: Replica, count: int) -> None:
    crawl.wait_until(lambda: visits(replica) >= count)


def test_postgresql_may_restart_and_crash_while_it_is_written(
    make_project: MakeProject, replica: Replica, postgres: Server
) -> None:
    project = make_project(replica, postgres=postgres)
    crawl = project.start()
    wait_for_visits(crawl, replica, 15)
    postgres.restart(down_s=2.0)
    wait_for_visits(crawl, replica, 60)
    postgres.crash()
    assert crawl.runs
    crawl.wait()
    check_whole(project, VIDEOS)


def test_an_object_store_may_fail_for_seconds(
    make_project: MakeProject, replica: Replica, postgres: Server, flawed_s3: S3Server
) -> None:
    project = make_project(replica, postgres=postgres, s3=flawed_s3)
    crawl = project.start()
    wait_for_visits(crawl, replica, 15)
    replica.control(latency_s=0.5)  # or a fast machine is through before the last fault
    for kind, share in (("500", 1.0), ("reset", 0.5), ("late-500", 0.5), ("503", 1.0)):
        flawed_s3.requests()
        flawed_s3.fail(kind, share=share)
        crawl.wait_until(lambda: len(flawed_s3.requests()) > 0)  # the crawl has met it
        time.sleep(2.0)
        flawed_s3.heal()
        time.sleep(0.5)
    assert crawl.runs
    replica.control(latency_s=LATENCY_S)
    crawl.wait()
    check_whole(project, VIDEOS)


def test_the_network_may_be_gone_for_a_while(make_project: MakeProject, replica: Replica) -> None:
    project = make_project(replica)
    crawl = project.start()
    wait_for_visits(crawl, replica, 30)
    for index in range(len(replica.ports)):
        replica.egress(index, dead=True)
    time.sleep(8.0)
    for index in range(len(replica.ports)):
        replica.egress(index, dead=False)
    crawl.wait()
    check_whole(project, VIDEOS)


def test_crawls_that_share_a_catalog_share_work_and_budget(
    make_project: MakeProject, replica: Replica, postgres: Server, s3_server: S3Server
) -> None:
    budget = 80
    project = make_project(replica, postgres=postgres, s3=s3_server, crawl={"budgets": {"youtube": budget}})
    crawls = [project.start("--no-wait"), project.start("--no-wait", "--out", str(project.folder / "second"))]
    for crawl in crawls:
        crawl.wait()
    with project.catalog() as catalog:
        spent = catalog.spent("youtube", time.time())
    # One that is told of no budget ends while the other still holds some: what that does not use it gives back.
    assert 70 <= visits(replica) == spent <= budget
    project.configure(budgets={"youtube": None})
    crawls = [project.start("--json", "--out", str(project.folder / "second")), project.start("--json")]
    for crawl in crawls:
        crawl.wait()
        assert crawl.summary["progress"]["described"] > 0
    asked = replica.statistics()["videos"]
    assert {name: counts["player"] for name, counts in asked.items()} == dict.fromkeys(VIDEOS, 1)
    project.start().wait()  # hands over what the other one stored last
    check_whole(project, VIDEOS)
