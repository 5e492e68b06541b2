# SPDX-License-Identifier: Apache-2.0
"""What `scripts/platform` refuses, and whom it leaves alone. That it works is seen in tests/system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the platform is for Linux")
PORTS = dict.fromkeys(("airflow", "postgres", "redis", "s3", "statsd", "metrics", "prometheus"), 1)
# Leads a session, starts somebody in it, says who it is, and ends.
LEADER = """
import os, subprocess
other = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(os.getpid(), other.pid)
"""


def platform(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/platform", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A platform that was up once."""
    (tmp_path / "pids").mkdir()
    (tmp_path / "logs").mkdir()
    state = {"executor": "local", "dags": "/nowhere", "workers": 2, "set": [], "ports": PORTS}
    (tmp_path / "state.json").write_text(json.dumps(state))
    return tmp_path


@pytest.fixture
def orphan() -> Iterator[tuple[int, psutil.Process]]:
    """The number of a process that has ended, and one that lives in its session."""
    done = subprocess.run(
        [sys.executable, "-c", LEADER], capture_output=True, text=True, start_new_session=True, check=True
    )
    leader, pid = map(int, done.stdout.split())
    process = psutil.Process(pid)
    yield leader, process
    if process.is_running():
        process.kill()


def test_a_folder_with_other_things_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all my work")
    (tmp_path / ".gitignore").write_text("*.aux\n")
    done = platform("up", "--folder", tmp_path)
    assert done.returncode == 2
    assert "holds other things" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "thesis.tex"]
    assert (tmp_path / ".gitignore").read_text() == "*.aux\n"


def test_no_port_changes_while_it_is_up(home: Path) -> None:
    service = subprocess.Popen(["sleep", "60"], env={**os.environ, "SPEECHMILL_PLATFORM": str(home)})
    try:
        done = platform("up", "--folder", home, "--port", "airflow=8081")
    finally:
        service.kill()
        service.wait()
    assert (done.returncode, done.stderr) == (
        2,
        "platform: it is up with another --port; first: scripts/platform down\n",
    )
    assert json.loads((home / "state.json").read_text())["ports"] == PORTS


def here() -> str:
    booted = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{booted}/{os.readlink('/proc/self/ns/pid')}"


@pytest.mark.parametrize("mine", [True, False])
def test_a_session_is_a_services_only_until_the_machine_starts_anew(
    home: Path, orphan: tuple[int, psutil.Process], mine: bool
) -> None:
    leader, process = orphan
    (home / "pids/worker").write_text(f"{leader} 123456 {here() if mine else 'an-earlier-start/pid:[1]'}")
    assert platform("down", "--folder", home).returncode == 0
    alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    assert alive is not mine
    assert not list((home / "pids").iterdir())
