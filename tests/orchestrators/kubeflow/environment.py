# SPDX-License-Identifier: Apache-2.0
"""kfp wants an environment of its own: what tests need of it is run there, and comes back as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(__file__).resolve().parents[3] / ".venv-pipelines" / "bin" / "python"
HERE = Path(__file__).parent


def run(script: str, *arguments: object, timeout_s: float = 300) -> Any:
    """Return what a script beside this file prints on its last line; skip where the environment is not there."""
    if not PYTHON.exists():
        pytest.skip("kfp is not here: make setup-pipelines")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    words = [str(PYTHON), str(HERE / script), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])
