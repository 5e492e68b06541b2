# SPDX-License-Identifier: Apache-2.0
"""VAD: seconds of audio per CPU second of one core, ours and upstream's own, and whether both say the same.

Rows `silero` and `silero_v6` are one recording at a time: 60 utterances of LibriSpeech test-other, joined to one
recording. The baseline is the silero-vad package's fastest way, its sequence model: its code with the same weights for
`silero`, the file that it ships for `silero_v6_2`. Row `silero_batch` is 251 clips of about 12 seconds, ours many at
once, the baseline one after the other, as it must. Row `energy` is compared with our `silero`. All rows count audio to
segments.

`max_difference` of probabilities and `differing` (files whose segments aren't the same) are over every channel of
every file of the data. Needs silero-vad: pip install -c constraints.txt -e '.[bench]'

    OMP_NUM_THREADS=1 python benchmarks/vad.py [--data FOLDER] [--repeat 7] [--rows silero,energy]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from silero_vad import get_speech_timestamps_from_probs, load_silero_vad
from silero_vad.sequence_vad import SileroVADSequence, get_speech_timestamps_sequence

from speechmill import models
from speechmill.core.stage import Context, Samples
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.vad import energy, silero

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HZ = 16_000
TICK_S = 1e-4
ONE_RECORDING, CLIPS = "librispeech_test_other", "librispeech_train_speakers"
CONTEXT = Context(Path(), models.path)
ROWS = ("silero", "silero_v6", "silero_batch", "energy")
WEIGHTS = {"silero": "v6.2", "silero_batch": "v6.2", "silero_v6": "v6"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--rows", default=",".join(ROWS))
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    rows = [row(name, options.data, options.repeat) for name in options.rows.split(",")]
    print(json.dumps({"rows": rows}))


def row(name: str, data: Path, repeat: int) -> dict[str, Any]:
    """Measure one row; medians over `repeat` rounds, in each of which both work once."""
    clips = [load(path)[0] for path in files(data, CLIPS if name == "silero_batch" else ONE_RECORDING)]
    if name != "silero_batch":
        clips = [np.concatenate(clips)]
    recordings = [ArrayAudio([clip]) for clip in clips]
    audio_s = sum(recording.duration for recording in recordings)
    ours, baseline, baseline_name = contenders(name, recordings, clips)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat + 1):
        for work, spent in zip((ours, baseline), times, strict=True):
            start = time.process_time()
            work()
            spent.append(time.process_time() - start)
    figures = [audio_s / statistics.median(spent[1:]) for spent in times]  # the first round warms up
    measured = {
        "name": name,
        "unit": "audio seconds per CPU second of one core",
        "ours": round(figures[0], 1),
        "baseline": round(figures[1], 1),
        "baseline_name": baseline_name,
        "ratio": round(figures[0] / figures[1], 3),
        "audio_s": round(audio_s, 1),
    }
    print(f"{name}: {figures[0]:.0f} x real time, {baseline_name} {figures[1]:.0f} x", file=sys.stderr)
    return measured | (equality(WEIGHTS[name], data) if name in ("silero", "silero_v6") else {})


def contenders(
    name: str, recordings: list[ArrayAudio], clips: list[Samples]
) -> tuple[Callable[[], object], Callable[[], object], str]:
    """Return our work, the baseline's, and the baseline's name."""
    if name == "energy":
        backend = energy.Backend(energy.Config(), CONTEXT)
        other = silero.Backend(silero.Config(), CONTEXT)
        return (
            lambda: backend.speech(recordings[0], 0),
            lambda: other.speech(recordings[0], 0),
            "silero, here",
        )
    vad, upstream = ours_and_theirs(WEIGHTS[name])
    said = "silero-vad's get_speech_timestamps_sequence, "
    said += "its own model file" if WEIGHTS[name] == "v6.2" else "with the same weights"

    def theirs() -> object:
        return [get_speech_timestamps_sequence(clip, upstream) for clip in clips]

    return lambda: vad.speech_of([(recording, 0) for recording in recordings]), theirs, said


def ours_and_theirs(weights: str) -> tuple[silero.Backend, SileroVADSequence]:
    release = silero.RELEASES[weights]
    models.pull(release.card)
    file = models.path(release.card) / release.file
    theirs = load_silero_vad(sequence=True) if weights == "v6.2" else SileroVADSequence(str(file))
    return silero.Backend(silero.Config(weights=weights), CONTEXT), theirs


def equality(weights: str, data: Path) -> dict[str, Any]:
    """Compare probabilities and segments over everything there is."""
    vad, upstream = ours_and_theirs(weights)
    largest, differing, num_files, audio_s = 0.0, [], 0, 0.0
    for path in files(data, ""):
        num_files += 1
        for samples in load(path):
            audio = ArrayAudio([samples])
            expected = upstream.audio_forward(samples)
            difference = np.abs(vad.probabilities(audio, 0) - expected).max(initial=0.0)
            largest, audio_s = max(largest, float(difference)), audio_s + audio.duration
            segments = get_speech_timestamps_from_probs(expected, audio_length_samples=len(samples))
            if not same(vad.speech(audio, 0), segments):
                differing.append(str(path.relative_to(data)))
    print(
        f"  {num_files} files: probabilities within {largest:.1e}, {len(differing)} differ {differing[:5]}",
        file=sys.stderr,
    )
    return {"max_difference": largest, "differing": len(differing), "files": num_files, "compared_s": round(audio_s)}


def same(ours: list[Interval], theirs: list[dict[str, int]]) -> bool:
    """Tell whether segments are the same, to the 0.1 ms that ours are rounded to."""
    return len(ours) == len(theirs) and all(
        abs(found - expected / HZ) < TICK_S
        for interval, segment in zip(ours, theirs, strict=True)
        for found, expected in ((interval.start, segment["start"]), (interval.end, segment["end"]))
    )


def files(data: Path, folder: str) -> Iterator[Path]:
    for path in sorted((data / folder).rglob("*")):
        if path.suffix in (".flac", ".wav"):
            yield path


def load(path: Path) -> list[Samples]:
    """Every channel at 16 kHz."""
    samples, sampling_rate = read_audio(path)
    if sampling_rate != HZ:
        return [soxr.resample(channel, sampling_rate, HZ).astype(np.float32) for channel in samples]
    return list(samples)


if __name__ == "__main__":
    main()
