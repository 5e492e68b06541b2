# SPDX-License-Identifier: Apache-2.0
"""Parsers fuzzed with coverage, for a second each: enough to see that the harness works and the easy finds are gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris")
HARNESS = Path(__file__).parents[1] / "fuzz" / "fuzz.py"
QUICK = ("textgrid", "eaf", "vtt", "corpus-file")  # a start takes six seconds of CPU: everything is instrumented


@pytest.mark.system
@pytest.mark.parametrize("target", QUICK)
def test_a_second_of_fuzzing_finds_nothing(target: str) -> None:
    done = subprocess.run(
        [sys.executable, HARNESS, target, "--seconds", "1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "stat::number_of_executed_units" in done.stderr
