# SPDX-License-Identifier: Apache-2.0
"""What ends an export from outside: its process is killed, a process of its own is killed, somebody presses Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.services.processes import gone

from pipeline.export.small import Export, segments, write_dataset
from speechmill.pipeline.export.marker import read_marker

NAMES = [f"r{number:02d}" for number in range(40)]
EXPORT = """
import sys
from pathlib import Path
from speechmill.core import registry
from speechmill.core.registry import Choice
from speechmill.pipeline.export.engine import Order, make
root = Path(sys.argv[1])
config = registry.load("exporters", "huggingface").Config(max_shard_rows=2)
order = Order(Choice("exporters", "huggingface", config), "corpus", workers=2)
make(root, root / "exports" / "huggingface", order)
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="one process there")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "workspace", [one for name in NAMES for one in segments(name)])
    return tmp_path / "workspace"


def start(root: Path) -> subprocess.Popen[bytes]:
    """Start an export, and stop it and its processes when it has finished two shards: it must not run away."""
    command = [sys.executable, "-c", EXPORT, str(root)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while len(finished(root)) < 2:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGSTOP)
    return process


def finished(root: Path) -> list[Path]:
    return list((root / "exports" / ".partial-huggingface").glob("*/record.json"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_export_that_is_ended_goes_on(root: Path, export: Export, number: int) -> None:
    process = start(root)
    children = psutil.Process(process.pid).children()
    os.kill(process.pid, number)
    os.killpg(process.pid, signal.SIGCONT)
    process.wait(60)
    if process.stderr:
        process.stderr.close()
    psutil.wait_procs(children, timeout=60)
    assert all(map(gone, children))
    done = len(finished(root))
    assert 2 <= done < len(NAMES)
    assert not (root / "exports" / "huggingface").exists()
    made = export()
    assert made.export.segments == 2 * len(NAMES)
    assert read_marker(root / "exports" / "huggingface") == made.export
    assert [path.name for path in (root / "exports").iterdir()] == ["huggingface"]


def test_a_process_that_dies_is_told_with_its_shard(root: Path, export: Export) -> None:
    process = start(root)
    psutil.Process(process.pid).children()[0].kill()
    os.killpg(process.pid, signal.SIGCONT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"the process that wrote shard train-000" in said
    assert b"ended with status -9" in said
    assert export().export.segments == 2 * len(NAMES)
