# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every test: real speech where it is at hand, small made-up corpora, and the command line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

sys.path.append(str(Path(__file__).parent))  # for the replica and the services, which benchmarks use too

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

# The same examples on every machine, however slow it is; --hypothesis-profile=explore looks for new ones.
ANY_SPEED = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", ANY_SPEED)
settings.register_profile("steady", ANY_SPEED, derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real speech with ground truth; the test is skipped, and says so, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real speech is not here: {SHARED_DATA.name} folder absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def speechmill() -> CommandLine:
    """Run `speechmill ARGUMENTS` as a process of its own; `expect` is its exit status, None for any."""

    def run(
        *arguments: object, expect: int | None = 0, env: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "speechmill", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=timeout, check=False
        )
        if expect is not None:
            assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def write_tone(path: Path, seconds: float, hertz: float = 220.0, sampling_rate: int = 16_000) -> None:
    """Write a wavering tone as 16-bit WAV; with a .txt beside it, it is a recording with one segment."""
    time = np.arange(int(seconds * sampling_rate)) / sampling_rate
    tone = 0.3 * np.sin(2 * np.pi * hertz * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sampling_rate)
        file.writeframes((tone * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="session")
def make_tone() -> Callable[..., None]:
    """See write_tone."""
    return write_tone


@pytest.fixture
def tone_corpus(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Make a folder of tones, each with a text beside it: {"name": "text"}."""

    def make(texts: dict[str, str]) -> Path:
        folder = tmp_path / "audio"
        folder.mkdir(exist_ok=True)
        for i, (name, text) in enumerate(texts.items()):
            write_tone(folder / f"{name}.wav", 2.0 + 0.25 * i, 150.0 + 20.0 * i)
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def torchcodec_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which torchcodec, and so `datasets`, finds the FFmpeg in PyAV's wheel.

    For processes of their own: the loader reads its path once, when a process starts.
    """
    if importlib.util.find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    if sys.platform != "linux":
        pytest.skip("elsewhere torchcodec needs an FFmpeg that is installed")
    spec = importlib.util.find_spec("av")
    assert spec is not None
    assert spec.origin is not None
    bundled = Path(spec.origin).parents[1] / "av.libs"
    folder = tmp_path_factory.mktemp("ffmpeg")
    for library in bundled.glob("lib*-*.so.*"):  # under the names that torchcodec asks for
        name, _, version = library.name.partition(".so.")
        (folder / f"{name.rpartition('-')[0]}.so.{version.split('.')[0]}").symlink_to(library)
    paths = [os.environ.get("LD_LIBRARY_PATH", ""), str(folder), str(bundled)]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(path for path in paths if path)}
