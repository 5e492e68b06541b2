# SPDX-License-Identifier: Apache-2.0
"""What workers may take: of the machine, or of the container they are in."""

from __future__ import annotations

import math
import time

import pytest

from speechmill.engines import _machine
from speechmill.engines._machine import Meter, free_in_container, share_mb

GB = 2**30


@pytest.fixture
def cgroup(tmp_path):
    def write(limit):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{3 * GB}\n")
        (tmp_path / "memory.stat").write_text(f"anon {2 * GB}\ninactive_file {GB}\n")
        return tmp_path

    return write


def test_of_a_container_what_its_limit_leaves_is_free_with_the_pages_of_files(cgroup):
    assert free_in_container(cgroup(10 * GB)) == 8 * GB


def test_without_a_limit_or_outside_of_containers_the_machine_says(cgroup, tmp_path):
    assert free_in_container(cgroup("max")) == math.inf
    assert free_in_container(tmp_path / "none") == math.inf


def test_workers_share_what_is_free_in_their_container(cgroup, monkeypatch):
    folder = cgroup(8 * GB)
    monkeypatch.setattr(_machine, "free_in_container", lambda: free_in_container(folder))
    monkeypatch.setattr(_machine.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 64 * GB})())
    assert share_mb(4) == int(6 * 1024 * 0.8 / 4)
    assert share_mb(1000) == 1024


def test_a_run_of_a_tenth_of_a_second_has_a_peak_too():
    meter = Meter()
    with meter.running():
        time.sleep(0.1)
    assert meter.peak_rss_mb > 10
