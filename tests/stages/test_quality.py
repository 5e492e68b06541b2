# SPDX-License-Identifier: Apache-2.0
"""What a metric is given: the cut at both rates, its clean reference, and the columns it asked for."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest
from msgspec import Struct

from speechmill.core.columns import GAPS, SCORES
from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.stage import Context, Item
from speechmill.core.types import Interval, Source, Transcript, Utterance
from speechmill.formats.audio import make_canonical, write_wav
from speechmill.quality import Column
from speechmill.stages.quality import Quality, by_channel, clip, near

SEGMENTS = (Utterance("one", 0.5, 1.0), Utterance("two", 2.0, 1.0, language="vi"))
SECOND = Transcript("other", (Utterance("uno", 0.5, 1.0),))


class Config(Struct, frozen=True):
    """None."""


class Probe:
    """Keeps the cuts and scores them with what `measure` says."""

    def __init__(self, measure):
        self.cuts = []
        self.measure = measure

    def score(self, cut):
        self.cuts.append(cut)
        return {"probe": self.measure(cut)}


class Asked(Struct, frozen=True):
    """As a Choice, with a module made here."""

    module: object
    family: str = "quality"
    backend: str = "probe"
    config: Config = Config()
    when: str | None = None
    device: str = "cpu"


@pytest.fixture
def noisy(tmp_path) -> Path:
    tone = np.sin(np.arange(24_000 * 4) * 0.05).astype(np.float32)
    write_wav(tmp_path / "noisy.wav", 0.5 * tone, 24_000)
    write_wav(tmp_path / "clean.wav", 0.25 * tone[: 24_000 * 2], 24_000)
    return tmp_path


def scored(folder, measure, reads=(), offered=(), reference=None, **columns):
    probe = Probe(measure)
    module = types.ModuleType("probe")
    module.COLUMNS = {"probe": Column("x", (0.0, 1.0), True, "here")}
    module.READS = reads
    module.Backend = lambda config, context: probe
    stage = Quality(Asked(module), offered)
    stage.open(Context(folder, Path))
    canonical, audio = make_canonical(folder / "noisy.wav", folder, "a", "mix")
    given = {"audio": canonical, "speech": (Interval(0.75, 0.5),), "segments": SEGMENTS, **columns}
    source = Source("a", "a.wav", key="k", language="en", reference=reference)
    with audio:
        return stage, stage.work(Item(source, given, audio)).columns, probe.cuts


def test_a_cut_is_the_segments_own_stretch(noisy):
    _stage, columns, cuts = scored(noisy, lambda cut: len(cut.samples) / 16_000)
    assert columns == {SCORES + "probe": (1.0, 1.0), GAPS + "quality.probe": (None, None)}
    assert [cut.language for cut in cuts] == ["en", "vi"]
    assert cuts[0].speech == [Interval(0.25, 0.5)]
    assert cuts[1].speech == []


def test_the_cut_at_24_khz_is_of_the_same_stretch(noisy):
    _stage, columns, _cuts = scored(noisy, lambda cut: len(cut.wide()) / 24_000)
    assert columns[SCORES + "probe"] == (1.0, 1.0)


def test_without_a_reference_the_gap_says_so(noisy):
    _stage, columns, _cuts = scored(noisy, lambda cut: len(cut.reference()))
    assert columns[GAPS + "quality.probe"] == ("no-reference", "no-reference")


def test_the_reference_is_the_same_stretch_of_the_clean_recording(noisy):
    def ratio(cut):
        clean = cut.reference()
        return float(np.std(clean) / np.std(cut.samples)) if len(clean) else 0.0

    _stage, columns, _cuts = scored(noisy, ratio, reference=str(noisy / "clean.wav"))
    assert columns[SCORES + "probe"] == (pytest.approx(0.5, abs=0.001), 0.0)  # the clean one lasts two seconds


def test_a_reference_that_is_no_audio_is_a_gap_of_each_segment(noisy):
    (noisy / "clean.wav").write_bytes(b"")
    _stage, columns, _cuts = scored(noisy, lambda cut: len(cut.reference()), reference=str(noisy / "clean.wav"))
    assert [gap.split(":")[0] for gap in columns[GAPS + "quality.probe"]] == ["reference-zero-bytes"] * 2


def test_a_metric_gets_the_columns_it_reads_where_the_plan_has_them(noisy):
    reads = ("second", "segments.scores.snr_db", "turns")
    stage, _columns, cuts = scored(
        noisy, lambda cut: 0.0, reads, ("second", "segments.scores.snr_db"), second=SECOND,
        **{"segments.scores.snr_db": (20.0, None)},
    )  # fmt: skip
    assert stage.reads == ("audio", "speech", "segments", "second", "segments.scores.snr_db")
    assert [dict(cut.columns) for cut in cuts] == [
        {"second": SECOND, "segments.scores.snr_db": 20.0},
        {"second": SECOND, "segments.scores.snr_db": None},
    ]


def test_speech_is_clipped_to_the_segment_on_its_channel_alone():
    told = [Interval(0.0, 1.0), Interval(1.5, 1.0), Interval(3.0, 2.0), Interval(0.0, 9.0, 1)]
    speech = by_channel(tuple(reversed(told)))
    assert sorted(speech) == [0, 1]
    assert list(near(speech[0], 1.0, 0.5)) == told[:2]  # they touch it, and reach into it by nothing
    assert clip(near(speech[0], 2.0, 2.0), 2.0, 2.0, 0) == [Interval(0.0, 0.5), Interval(1.0, 1.0)]
    assert clip(near(speech[0], 6.0, 2.0), 6.0, 2.0, 0) == []
    assert clip(near(speech[1], 4.0, 0.5), 4.0, 0.5, 1) == [Interval(0.0, 0.5, 1)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FormatError("model.onnx: no weights of that name"), r"model\.onnx: no weights of that name"),
        (ValueError("Requested float16"), "ValueError: Requested float16"),
    ],
)
def test_what_can_not_be_opened_stops_the_run(noisy, error, said):
    def refused(config, context):
        raise error

    module = types.ModuleType("probe")
    module.COLUMNS = {"probe": Column("x", (0.0, 1.0), True, "here")}
    module.Backend = refused
    stage = Quality(Asked(module))
    stage.open(Context(noisy, Path))
    with make_canonical(noisy / "noisy.wav", noisy, "a", "mix")[1] as audio:
        item = Item(Source("a", "a.wav", key="k"), {"speech": (), "segments": SEGMENTS}, audio)
        with pytest.raises(ConfigError, match=f"quality probe can't be opened as configured: {said}"):
            stage.process([item])
