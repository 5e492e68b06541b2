# SPDX-License-Identifier: Apache-2.0
"""No secret that a crawl is given stands anywhere afterwards: cookies, passwords, keys, in whatever spelling."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.services.postgres import Server
from tests.services.s3 import S3Server
from tests.system.canaries import (
    API_KEY,
    COOKIE,
    PROXY_PASSWORD,
    WRONG_PASSWORD,
    CommandLines,
    canaries_below,
    canaries_in,
    dump_of,
)
from tests.system.conftest import MakeProject
from tests.system.projects import Project, visits

from replica.handle import Replica

pytestmark = pytest.mark.system

USER = "crawler"
DEV = ("-X", "dev")  # warnings and tracebacks that users don't see
NAMES = ("LOGIN_INFO", "SAPISID", "__Secure-3PAPISID")


@pytest.fixture(scope="module")
def world(start_replica: Callable[..., Replica]) -> Replica:
    return start_replica(channels=1, videos_per_channel=40, search_results=40, api_keys=(API_KEY,))


@pytest.fixture
def replica(world: Replica) -> Replica:
    """A replica whose ways want a password."""
    world.control(restore=True)
    for index in range(len(world.ports)):
        world.egress(index, username=USER, password=PROXY_PASSWORD)
    return world


def address(replica: Replica, index: int, password: str = PROXY_PASSWORD) -> str:
    return replica.proxy(index, f"{USER}:{quote(password, safe='')}")


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    """A file of an account's cookies; it lies outside of what is looked through."""
    path = tmp_path / "cookies.txt"
    lines = [f".youtube.com\tTRUE\t/\tTRUE\t2147483647\t{name}\t{COOKIE}" for name in NAMES]
    path.write_text("\n".join(["# Netscape HTTP Cookie File", *lines, ""]))
    path.chmod(0o600)
    assert canaries_in(path.read_bytes()) == {"cookie"}
    return path


@pytest.fixture
def secretive(
    make_project: MakeProject, replica: Replica, cookies: Path, tmp_path: Path
) -> Iterator[Callable[..., Project]]:
    """Make a project with an account on YouTube, a feed by a way whose password is wrong, and a key of the API."""
    wrong = tmp_path / "wrong-proxy.txt"
    wrong.write_text(address(replica, 1, WRONG_PASSWORD))

    def make(youtube: dict[str, object] | None = None, **places: object) -> Project:
        crawl = {
            "egress": [{"name": "wrong", "proxy_file": str(wrong)}, {"name": "good", "proxy_env": "CANARY_PROXY"}],
            "cookies": {"youtube": {"egress": "good", "file": str(cookies)}},
            "api_key_env": {"youtube": "CANARY_KEY"},
            "max_failures": 2,
        }
        sources = [
            {"youtube": {"search": "talks", **(youtube or {})}},
            {"podcast": {"feed": "https://feeds.test/show.xml"}},
        ]
        project = make_project(replica, crawl=crawl, sources=sources, **places)
        project.environment |= {"CANARY_PROXY": address(replica, 0), "CANARY_KEY": API_KEY}
        return project

    return make


def crawl_badly(project: Project, replica: Replica) -> set[str]:
    """Crawl with a crash, then with revoked cookies, then well; return the command lines that were seen."""
    crawl = project.start("--no-wait", python=DEV)
    with CommandLines(crawl) as lines:
        crawl.wait_until(lambda: visits(replica) > 5)
        os.kill(crawl.pid, signal.SIGABRT)  # every thread's traceback
        crawl.wait(-signal.SIGABRT)
        assert "Fatal Python error: Aborted" in crawl.said
        replica.control(cookies_revoked=True)
        project.start("--no-wait", python=DEV).wait()
        replica.control(cookies_revoked=False)
        project.start("--no-wait", python=DEV).wait()
    project.start("--class", "net", python=DEV, command=("crawl", "retry")).wait()
    project.start("--no-wait", "--json", python=DEV).wait()
    project.start("--json", command=("crawl", "stats")).wait()
    status = project.start("--json", command=("crawl", "status"))
    status.wait()
    resting = {way["name"] for way in status.summary["ways"] if way["reason"] == "net"}
    assert resting == {"wrong"}, "nobody was refused"
    project.start(python=DEV, command=("run",)).wait(None)
    assert (project.workspace / "report.html").is_file()
    return lines.seen


def test_no_secret_is_left_in_sqlite_folder_report_or_output(
    secretive: Callable[..., Project], replica: Replica
) -> None:
    project = secretive()
    lines = crawl_badly(project, replica)
    counted = replica.statistics()
    assert counted["egress"][0]["with_account"] > 0, "the cookies were never sent"
    assert len(lines) > 1
    assert canaries_in("\n".join(lines).encode()) == set()
    assert canaries_below(project.folder) == {}


def test_no_secret_is_left_in_postgresql_or_s3(
    secretive: Callable[..., Project], replica: Replica, postgres: Server, s3_server: S3Server
) -> None:
    project = secretive({"api": True}, postgres=postgres, s3=s3_server)
    s3_server.fail("403", count=3, match="^PUT")  # its answer quotes what was signed
    project.start("--no-wait", python=DEV).wait(2)
    s3_server.heal()
    crawl_badly(project, replica)
    replica.control(api_keys=("another",))
    project.start("--no-wait", python=DEV).wait()
    assert any("googleapis" in host for host in replica.statistics()["by_host"]), "the key was never sent"
    names = s3_server.names()
    assert len(names) > 10
    assert canaries_in("\n".join(names).encode()) == set()
    assert {name: canaries_in(s3_server.get(name)) for name in names} == {key: set() for key in names}
    assert canaries_in(dump_of(postgres, project.corpus.catalog.rpartition("/")[2])) == set()
    assert canaries_below(project.folder) == {}


def test_no_secret_stands_in_what_a_refused_login_says(
    secretive: Callable[..., Project], postgres: Server, s3_server: S3Server
) -> None:
    project = secretive(postgres=postgres, s3=s3_server)
    project.environment["PGPASSWORD"] = WRONG_PASSWORD
    crawl = project.start(python=DEV)
    crawl.wait(2)
    assert "password authentication failed" in crawl.said
    assert canaries_in(crawl.said.encode()) == set()
