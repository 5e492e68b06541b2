# SPDX-License-Identifier: Apache-2.0
"""Each stage's output on seven seconds of synthetic speech, as it was when its version was last raised.

Results are kept under a stage's and a backend's version, so another output under the same version would mix old
results with new ones. Each stage is given the golden output of the stages before it, so only the one that changed
fails. Tolerances leave room for another CPU. After a change that was meant, raise VERSION and run

    python tests/stages/test_golden.py            # golden.json anew
    python tests/stages/test_golden.py --audio    # golden.flac too; needs espeakng-loader
"""

import argparse
import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from speechmill import models
from speechmill.core import registry
from speechmill.core.columns import column_type
from speechmill.core.stage import Context, Item
from speechmill.core.types import Failed, Source
from speechmill.measures.landmarks import decode
from speechmill.pipeline import spec
from speechmill.pipeline.plan import stages
from speechmill.pipeline.worker import LazyAudio

AUDIO = Path(__file__).with_name("golden.flac")
GOLDEN = Path(__file__).with_name("golden.json")
REGENERATE = "python tests/stages/test_golden.py"
TIME_S = 0.02
SCORE = 0.02
TIMES = ("start", "duration")
DECIBELS = ("snr_db", "loudness_lufs", "peak_dbfs")
DB = 0.1
LANDMARKS = 0.98  # share of peaks: another CPU's last bit may move one
TEXT = "seven hungry wolves chased every rabbit the quick brown fox jumps over"

# case -> (stage, what the corpus file says). Those of one stage differ in their backend.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "normalise": ("normalise", {}),
    "vad.silero": ("vad", {}),
    "landmarks": ("landmarks", {"deduplicate": {}}),
    "transcribe.sidecar": ("transcribe", {"transcript": ["sidecar"]}),
    "transcribe.pocketsphinx": ("transcribe", {"transcript": ["pocketsphinx"]}),
    "diarize.dvector": ("diarize", {"diarize": "dvector"}),
    "diarize.none": ("diarize", {"diarize": "none"}),
    "segment.turns": ("segment", {}),
    "quality.snr": ("quality.snr", {"quality": ["snr"]}),
    "quality.dnsmos": ("quality.dnsmos", {"quality": ["dnsmos"]}),
    "align.pocketsphinx": ("align", {"align": "pocketsphinx"}),
}
# What is known of the recording before it is decoded.
KNOWN: dict[str, dict[str, Any]] = {"transcribe.sidecar": {"text": TEXT}, "diarize.dvector": {"num_speakers": 2}}
# What a stage reads comes from the golden output of these.
UPSTREAM = {
    "audio": "normalise",
    "speech": "vad.silero",
    "transcript": "transcribe.pocketsphinx",
    "turns": "diarize.dvector",
    "segments": "segment.turns",
}


def stage_of(case):
    name, settings = CASES[case]
    corpus = spec.resolve({"sources": [{"local": {"path": "."}}], "language": "en", **settings}, Path())
    return next(stage for stage in stages(corpus) if stage.name == name)


def versions(stage):
    return {"stage": stage.version, **{choice.backend: choice.module.VERSION for choice in stage.choices}}


def work(case, workspace, columns):
    """Run one stage on the audio; returns its columns as JSON has them."""
    source = Source("golden", str(AUDIO), key="golden", language="en", size=AUDIO.stat().st_size)
    source = msgspec.structs.replace(source, **KNOWN.get(case, {}))
    stage = stage_of(case)
    stage.open(Context(workspace, models.path))
    audio = LazyAudio(workspace, columns["audio"]) if "audio" in stage.reads else None
    try:
        (made,) = stage.process([Item(source, {name: columns[name] for name in stage.reads}, audio)])
    finally:
        stage.close()
        if audio is not None:
            audio.close()
    assert not isinstance(made, Failed), made
    return json.loads(msgspec.json.encode(made.columns))


def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def inputs(found, workspace):
    """Return the golden columns that stages read; the FLAC they name is made in the workspace."""
    if not any(workspace.rglob("*.flac")):
        work("normalise", workspace, {})
    made = {column: found[case]["columns"][column] for column, case in UPSTREAM.items() if case in found}
    return {column: msgspec.convert(value, column_type(column)) for column, value in made.items()}


def landmarks_shared(expected, found):
    """Return the share of peaks that are at the same place in both."""
    one, two = (
        set(zip(peaks.time.tolist(), peaks.frequency.tolist(), strict=True))
        for peaks in (decode(base64.b64decode(text)) for text in (expected, found))
    )
    return len(one & two) / max(len(one), len(two), 1)


def differences(expected, found, place=""):
    """Yield where two JSON values differ by more than the tolerance of their kind."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() | found.keys():
            yield from differences(expected.get(key), found.get(key), f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for i, (left, right) in enumerate(zip(expected, found, strict=True)):
            yield from differences(left, right, f"{place}[{i}]")
    elif isinstance(expected, float) and isinstance(found, float | int):
        last = place.split("[")[0] if place.endswith("]") else place
        name = last.rpartition(".")[2]
        tolerance = TIME_S if name in TIMES else DB if name in DECIBELS else SCORE
        if abs(expected - found) > tolerance + 1e-9:
            yield f"{place}: {expected} became {found}"
    elif place.endswith(".landmarks") and expected and found:
        if landmarks_shared(expected, found) < LANDMARKS:
            yield f"{place}: {landmarks_shared(expected, found):.0%} of the peaks are the same"
    elif expected != found:
        yield f"{place}: {expected!r} became {found!r}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("golden")


@pytest.mark.parametrize("case", CASES)
def test_the_output_is_that_of_its_version(case, workspace):
    stage, recorded = stage_of(case), golden()
    for choice in stage.choices:
        if registry.missing_packages(choice.module):
            pytest.skip(f"{choice.backend} is not installed")
    expected = recorded[case]
    found = work(case, workspace, inputs(recorded, workspace))
    changed = list(differences(expected["columns"], found))
    assert versions(stage) == expected["versions"], f"another version: regenerate with: {REGENERATE}"
    assert not changed, (
        f"{case} gives another output under the same version {expected['versions']}: raise the stage's or the "
        f"backend's version, and regenerate with: {REGENERATE}\n" + "\n".join(sorted(changed)[:10])
    )


def test_every_stage_has_a_golden_output():
    settings = {"sources": [{"local": {"path": "."}}], "language": "en", "deduplicate": {}}
    corpus = spec.resolve(settings, Path())
    assert {stage.name for stage in stages(corpus)} == {name for name, _settings in CASES.values()}
    assert golden().keys() == CASES.keys()


def test_the_golden_output_is_no_trifle():
    recorded = {case: found["columns"] for case, found in golden().items()}
    assert len(recorded["vad.silero"]["speech"]) >= 2
    assert len(recorded["segment.turns"]["segments"]) == 2
    assert {turn["speaker"] for turn in recorded["diarize.dvector"]["turns"]} == {"#1", "#2"}
    assert all(len(words) >= 3 for words in recorded["align.pocketsphinx"]["segments.words"])
    assert all(score is not None for score in recorded["quality.snr"]["segments.scores.snr_db"])


@pytest.mark.parametrize(
    ("expected", "found", "different"),
    [
        ({"start": 1.0}, {"start": 1.02}, False),
        ({"start": 1.0}, {"start": 1.03}, True),
        ({"segments.scores.dnsmos_sig": [3.0]}, {"segments.scores.dnsmos_sig": [3.02]}, False),
        ({"segments.scores.dnsmos_sig": [3.0]}, {"segments.scores.dnsmos_sig": [3.03]}, True),
        ({"segments.scores.snr_db": [30.0]}, {"segments.scores.snr_db": [30.09]}, False),
        ({"text": "a"}, {"text": "b"}, True),
        ({"a": [1.0]}, {"a": [1.0, 1.0]}, True),
        ({"a": None}, {"a": 1.0}, True),
        ({"a": 1.0}, {"a": None}, True),
        ({"a": 1.0}, {}, True),
    ],
)
def test_what_counts_as_a_difference(expected, found, different):
    assert bool(list(differences(expected, found))) is different


def write_audio():
    """Two synthetic voices one after the other over faint noise, 16 kHz."""
    import soxr

    from speechmill.demo.espeak import Line, speak
    from speechmill.formats.audio import write_flac

    lines = [
        Line("seven hungry wolves chased every rabbit", "en-us+f2"),
        Line("the quick brown fox jumps over", "en-us+m3"),
    ]
    random = np.random.default_rng(0)
    parts = [np.zeros(4_800, np.float32)]
    for spoken in speak(lines):
        parts += [0.18 * soxr.resample(spoken.samples, spoken.sampling_rate, 16_000), np.zeros(11_200, np.float32)]
    samples = np.concatenate(parts)
    noisy = samples + random.normal(0, 5e-5, len(samples)).astype(np.float32)
    write_flac(AUDIO, noisy.astype(np.float32), 16_000)


def regenerate():
    """Write golden.json from what the stages give now."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        for case in CASES:
            stage = stage_of(case)
            columns = inputs(found, workspace) if found else {}
            found[case] = {"versions": versions(stage), "columns": work(case, workspace, columns)}
    GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", action="store_true", help="write golden.flac anew too")
    if parser.parse_args().audio:
        write_audio()
    regenerate()
