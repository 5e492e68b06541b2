# SPDX-License-Identifier: Apache-2.0
"""The oldest yt-dlp that is accepted, and hundreds of calls: what takes minutes or pip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from replica.handle import Replica
from speechmill.core.errors import FetchError
from speechmill.core.remote import Ref
from speechmill.sources import Connection, youtube

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechmill" / "tests"


@pytest.fixture(scope="module")
def oldest() -> Path:
    """A folder with the oldest yt-dlp that is accepted, kept from run to run."""
    folder = CACHE / f"yt-dlp-{youtube.MIN_YTDLP}"
    if not (folder / "yt_dlp" / "version.py").is_file():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, f"yt-dlp=={youtube.MIN_YTDLP}"], check=True, timeout=300)
    return folder


@pytest.mark.system
def test_the_oldest_yt_dlp_that_is_accepted_passes_the_same_tests(oldest):
    environment = {**os.environ, "PYTHONPATH": str(oldest)}
    code = "import yt_dlp.version; print(yt_dlp.version.__version__, yt_dlp.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert tuple(map(int, said[0].split("."))) == tuple(map(int, youtube.MIN_YTDLP.split(".")))
    assert Path(said[1]).is_relative_to(oldest)
    tests = [str(HERE / name) for name in ("test_youtube.py", "test_youtube_errors.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    done = subprocess.run(
        command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def _visit(backend: youtube.Backend, index: int) -> None:
    """Do what a worker does with videos, of which one is private."""
    number = f"{index // 200 * 1000 + index % 200:010d}"
    with pytest.raises(FetchError, match="private"):
        backend.describe(Ref("youtube", f"p{number}", ""))
    found = backend.describe(Ref("youtube", f"v{number}", ""))
    backend.captions(found, (), ("manual", "automatic"))
    backend.fetch(found).path.unlink()


@pytest.mark.system
def test_memory_and_file_descriptors_stay_flat(replica: Replica, tmp_path: Path):
    backend = youtube.Backend(youtube.Config(search="a"), Connection(tmp_path, proxy=replica.proxy()))
    process = psutil.Process()
    for index in range(200):
        _visit(backend, index)
    memory, descriptors = process.memory_info().rss, process.num_fds()
    for index in range(200, 1000):
        _visit(backend, index)
    grown = process.memory_info().rss - memory
    backend.close()
    assert process.num_fds() <= descriptors + 2
    assert grown < 4 << 20  # bytes; one answer in each of the 1,600 visits, of 10 kB and more, would be four times that
