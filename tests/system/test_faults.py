# SPDX-License-Identifier: Apache-2.0
"""The published fault schedule: twelve classes of faults and four egresses cost a crawl time, and no item.

tests/replica/schedule.py says what there is. The system test takes one channel of its eight; the soak all 2,000 videos.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import select
from tests.system.checks import check_batch, check_content, check_left_overs, check_objects
from tests.system.conftest import MakeProject
from tests.system.projects import Project

from replica import schedule
from replica.handle import Replica
from speechmill.store.catalog import Catalog
from speechmill.store.catalog.schema import attempts as tries
from speechmill.store.catalog.schema import items, jobs

PACE = 0.02  # of the waits after failures: the replica's faults heal at once
SEED = 7
ALL = schedule.CHANNELS
PATIENCE_S = {1: 600.0, ALL: 3600.0}
CHANNELS = [pytest.param(1, marks=pytest.mark.system), pytest.param(ALL, marks=pytest.mark.soak)]
MAX_AFTER_BOT = 3  # requests to one egress once it asked for a person


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_crawl_under_the_fault_schedule_gets_what_can_be_had(
    channels: int, make_project: MakeProject, start_replica: Callable[..., Replica]
) -> None:
    replica = start_replica(ports=len(schedule.EGRESSES), **schedule.world(SEED, channels))
    sources = [{"youtube": {"channel": f"@channel{number}"}} for number in range(channels)]
    project = make_project(replica, sources=sources)
    crawl = project.start_quickly(PACE)
    crawl.wait(timeout_s=PATIENCE_S[channels])
    planned = {one.id: one for one in schedule.videos(SEED, channels)}
    with project.catalog() as catalog:
        check_outcomes(project, catalog, planned)
        check_descriptions(catalog, project, planned)
        check_objects(project, catalog)
        stored = catalog.hand_over(project.queries)
        check_content(project, stored)
        check_asked(replica, catalog, planned)
    if channels == 1:
        check_batch(project, stored)
    check_left_overs(project)
    print(json.dumps({"name": "fault schedule", "videos": len(planned), **crawl.summary["progress"]}))


def check_outcomes(project: Project, catalog: Catalog, planned: dict[str, schedule.Planned]) -> None:
    """Everything that can be had is stored, what has no licence is held, and nothing that is good is given up."""
    stored = {one.description.id for one in catalog.hand_over(project.queries)}
    obtainable = {one.id for one in planned.values() if one.outcome == "obtainable"}
    unlicensed = {one.id for one in planned.values() if one.outcome == "unlicensed"}
    held = {description.id for _item, _query, description in catalog.undecided(project.queries, ["hold"])}
    assert stored <= obtainable, "stored without a licence"
    assert not {name for name in held if planned[name].licensed}, "held though it has a licence"
    assert len(stored) >= 0.999 * len(obtainable), sorted(obtainable - stored)
    assert len(held) >= 0.999 * len(unlicensed), sorted(unlicensed - held)
    for name, (state, kind) in failures(catalog).items():
        outcome = planned[name].outcome
        assert (state == "failed", kind) == (outcome == "permanent", outcome), (name, state, kind)


def failures(catalog: Catalog) -> dict[str, tuple[str, str]]:
    """Return state and kind of every job that ended badly."""
    unfinished = select(items.c.name, jobs.c.state, jobs.c.kind).join(jobs, jobs.c.item == items.c.id)
    with catalog._database.once_read() as connection:
        rows = connection.execute(unfinished.where(jobs.c.state != "done"))
        return {row.name: (row.state, row.kind) for row in rows}


def check_descriptions(catalog: Catalog, project: Project, planned: dict[str, schedule.Planned]) -> None:
    """What is known of an item is whole, or says what is missing."""
    described = [one.description for one in catalog.hand_over(project.queries)]
    described += [one for _item, _query, one in catalog.undecided(project.queries, ["hold"])]
    for one in described:
        wanted = ("title", "duration", "author", "channel_id", "date", "views", "category")
        absent = {name for name in wanted if getattr(one, name) in (None, "")}
        assert absent <= set(one.missing), (one.id, absent, one.missing)
        assert one.rights.state == ("cc-by" if planned[one.id].licensed else "standard")
        assert one.rights.url


def check_asked(replica: Replica, catalog: Catalog, planned: dict[str, schedule.Planned]) -> None:
    """What said no for good was not asked again, and a way that asked for a person was left."""
    counted = replica.statistics()
    tried = attempts(catalog)
    assert {name for name, kinds in tried.items() if {"permanent", "geo"} & set(kinds[:-1])} == set()
    for name, kinds in tried.items():
        assert counted["videos"].get(name, {}).get("player", 0) <= len(kinds), "more requests than attempts"
        assert not {"permanent", "geo"} & set(kinds) or planned[name].outcome in ("permanent", "geo")
    assert max(one["after_bot"] for one in counted["egress"]) <= MAX_AFTER_BOT
    assert counted["egress"][1]["refused"] > 0, "the dead egress was not met"
    assert counted["egress"][2]["bot_checks"] > 0, "the banned egress was not met"
    assert counted["egress"][3]["too_many"] > 0, "the rate-limited egress was not met"


def attempts(catalog: Catalog) -> dict[str, list[str | None]]:
    """Return how each item's visits ended, in order."""
    ordered = select(items.c.name, tries.c.kind).join(tries, tries.c.item == items.c.id).order_by(tries.c.started)
    found: dict[str, list[str | None]] = {}
    with catalog._database.once_read() as connection:
        for row in connection.execute(ordered):
            found.setdefault(row.name, []).append(row.kind)
    return found
