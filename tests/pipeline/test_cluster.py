# SPDX-License-Identifier: Apache-2.0
"""Estimates for clusters: what they add up, and what they never do."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.errors import ConfigError
from speechmill.pipeline import spec
from speechmill.pipeline.cluster import HOURS, Scale, estimate_cluster


def _corpus(folder: Path, **fields: object) -> spec.Corpus:
    raw = {"name": "big", "language": "en", "sources": [{"local": {"path": str(folder / "audio")}}], **fields}
    return spec.resolve({"store": str(folder / "workspace"), **raw}, folder)


def _part(scale: Scale, step: str):
    return next(part for part in scale.parts if part.step == step)


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "audio").mkdir()
    return tmp_path


def test_from_an_hour_to_a_million_each_size_takes_more_and_never_more_tasks_than_are_allowed(empty):
    found = estimate_cluster(_corpus(empty))
    assert [scale.audio_h for scale in found] == list(HOURS)
    for field in ("cpu_h", "overhead_h", "wall_h", "storage_gb", "recordings", "shards"):
        values = [getattr(scale, field) for scale in found]
        assert values == sorted(values)
        assert values[0] > 0
    assert max(part.tasks for scale in found for part in scale.parts) == 1000


def test_what_the_parts_take_is_what_the_whole_takes(empty):
    (scale,) = estimate_cluster(_corpus(empty), [100.0])
    assert scale.tasks == sum(part.tasks for part in scale.parts)
    assert scale.cpu_h == pytest.approx(sum(part.cpu_h for part in scale.parts), abs=0.01)
    assert _part(scale, "quality").tasks == 100  # an hour a shard
    assert _part(scale, "quality").cpu_h == pytest.approx(100 * (0.04 + 0.0001))  # DNSMOS and SNR, as they say


def test_twice_the_tasks_at_once_take_half_the_time(empty):
    few, many = (
        _part(estimate_cluster(_corpus(empty, orchestrate={"parallel": parallel}), [1000.0])[0], "quality").wall_h
        for parallel in (10, 20)
    )
    assert few == pytest.approx(2 * many, rel=0.01)


def test_with_gpus_recognising_is_counted_in_their_hours(empty):
    corpus = _corpus(empty, transcript=["faster_whisper"], orchestrate={"gpu": True})
    (scale,) = estimate_cluster(corpus, [60.0])
    assert _part(scale, "transcribe").cpu_h == 0
    assert _part(scale, "transcribe").gpu_h == pytest.approx(60 * 0.5 / 30)
    assert scale.price(0.0, 2.0) == pytest.approx(2 * scale.gpu_h)


def test_storage_is_canonical_audio_ledger_and_exports(empty):
    (scale,) = estimate_cluster(_corpus(empty, export=["jsonl"]), [1.0])
    assert scale.storage_gb == pytest.approx((3600 * 24_000 * 2 * 0.5 * 2 + 3600 * 400) / 1e9, abs=0.001)


def test_nothing_is_written(empty):
    estimate_cluster(_corpus(empty), [1.0])
    assert [path.name for path in empty.rglob("*")] == ["audio"]


@pytest.mark.parametrize("sizes", ["0", "a", "-1", "1,inf", ","])
def test_sizes_that_are_none_are_refused(sizes, empty):
    from speechmill.cli.cluster import show_scales

    with pytest.raises(ConfigError, match="--hours"):
        show_scales(_corpus(empty), sizes, None, False)
