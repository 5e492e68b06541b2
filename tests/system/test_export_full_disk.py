# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up in the middle of an export leaves the last one whole; with room made, the next try goes on."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from pipeline.export.small import segments, write_dataset
from speechmill.core import registry
from speechmill.core.registry import Choice
from speechmill.pipeline.export.engine import Made, Order, make

pytestmark = pytest.mark.system

SMALL_DISK, LARGE_MB = "4500k", 50
FEW = [f"r{number:02d}" for number in range(10)]
MANY = [f"r{number:02d}" for number in range(60)]  # 3 MB of WAV


def export(root: Path, workers: int) -> Made:
    config = registry.load("exporters", "huggingface").Config(audio="wav", max_shard_rows=2)
    order = Order(Choice("exporters", "huggingface", config), "corpus", workers=workers)
    return make(root, root / "exports" / "huggingface", order)


def check(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "CHECKSUMS.sha256"], cwd=folder, check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_last_good_export_stays(small_disk: Path, workers: int) -> None:
    root = small_disk / "workspace"
    write_dataset(root, [one for name in FEW for one in segments(name)])
    export(root, workers)
    before = (root / "exports" / "huggingface" / "CHECKSUMS.sha256").read_bytes()
    write_dataset(root, [one for name in MANY for one in segments(name)])
    for _ in range(2):  # the second time the disk is full from the start
        with pytest.raises(OSError) as caught:
            export(root, workers)
        assert caught.value.errno == errno.ENOSPC
        check(root / "exports" / "huggingface")
        assert (root / "exports" / "huggingface" / "CHECKSUMS.sha256").read_bytes() == before
    subprocess.run(["mount", "-o", f"remount,size={LARGE_MB}m", str(small_disk)], check=True)
    made = export(root, workers)
    assert made.export.segments == 2 * len(MANY)
    assert made.kept == len(FEW)
    check(root / "exports" / "huggingface")
