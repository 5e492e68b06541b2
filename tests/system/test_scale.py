# SPDX-License-Identifier: Apache-2.0
"""A corpus is planned, run, killed, resumed and reported on, and memory grows by little more than its list of files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "scale.py"
MOST_BYTES_OF_A_SHARD = 1_000  # of a task on one shard, for every recording of the corpus


def measured(recordings: int) -> dict[str, dict[str, Any]]:
    command = [sys.executable, str(BENCHMARK), "--recordings", str(recordings)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {row["name"]: row for row in json.loads(done.stdout.splitlines()[-1])["rows"]}


# Bytes a recording: 1.4 KB of what is known of it, its segments as columns; and buffers that 10,000 do not fill.
@pytest.mark.parametrize(
    ("recordings", "most"),
    [
        pytest.param(10_000, 12_000, marks=pytest.mark.system),
        pytest.param(100_000, 6_000, marks=pytest.mark.soak),
    ],
)
def test_memory_grows_little_with_the_corpus(recordings: int, most: int) -> None:
    rows = measured(recordings)
    grown = {name: row["bytes_per_recording"] for name, row in rows.items()}
    of_a_shard = {name: grown.pop(name) for name in ("exec_new", "exec_done")}
    assert len(grown) == 10
    assert {name: size for name, size in grown.items() if size > most} == {}
    assert {name: size for name, size in of_a_shard.items() if size > MOST_BYTES_OF_A_SHARD} == {}
