# SPDX-License-Identifier: Apache-2.0
"""flytekit wants an environment of its own: what tests need of it is run there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

BIN = Path(__file__).resolve().parents[3] / ".venv-pipelines" / "bin"
HERE = Path(__file__).parent


def call(
    program: str,
    *arguments: object,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run a program of that environment in a folder, which is its home too; skip where the environment is not there.

    variables: of its environment, over ours.
    """
    if not (BIN / program).exists():
        pytest.skip("flytekit is not here: make setup-pipelines")
    scratch = folder / "scratch"  # flytekit leaves folders behind
    scratch.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "TMPDIR": str(scratch),
        "HOME": str(folder),  # Flyte's local cache is there
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),  # our models are there
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        **(variables or {}),
    }
    words = [str(BIN / program), *map(str, arguments)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def script(name: str, *arguments: object, folder: Path) -> Any:
    """Return what a script beside this file prints on its last line."""
    return json.loads(call("python", HERE / name, *arguments, folder=folder).stdout.splitlines()[-1])


def package(corpus: Path, folder: Path) -> Path:
    """Render a corpus file and package what was rendered, without a network. Returns the package."""
    call("speechmill", "render", "flyte", corpus, "--out", folder / "rendered", folder=folder)
    module = next((folder / "rendered").glob("*_flyte.py"))
    found = folder / "package.tgz"
    command = ("--pkgs", module.stem, "package", "--source", module.parent, "--output", found, "--force")
    call("pyflyte", *command, folder=module.parent)
    return found
