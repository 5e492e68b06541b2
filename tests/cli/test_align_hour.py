# SPDX-License-Identifier: Apache-2.0
"""`align` on one file of an hour with one text: nothing is given but a lexicon."""

import itertools
import json
import subprocess
import sys
import wave

import numpy as np
import pytest

from speechmill.formats import textgrid
from speechmill.formats.audio import read_audio

HZ = 16_000
HOUR_S = 3600
PAUSE_S = (0.4, 1.6)
# Prints the peak memory of a command in kB. In between, for a process that starts another hands its own peak on.
PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
PEAK += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


@pytest.fixture(scope="module")
def hour(shared_data, tmp_path_factory):
    """An hour of synthetic Vietnamese, its text beside it; its words with their starts."""
    folder, to = shared_data / "espeak_vi", tmp_path_factory.mktemp("hour")
    gold = json.loads((folder / "gold_words.json").read_text(encoding="utf-8"))
    clips = {name: read_audio(folder / name.partition("_")[0] / f"{name}.flac")[0][0] for name in sorted(gold)}
    random = np.random.default_rng(1)
    words, at = [], 0
    with wave.open(str(to / "hour.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
        for name in itertools.cycle(clips):
            pause = round(random.uniform(*PAUSE_S) * HZ)
            if (at + len(clips[name]) + pause) / HZ > HOUR_S:
                break
            words += [(word, start + at / HZ) for word, start, _ in gold[name]]
            sound = np.concatenate([clips[name], random.normal(0, 6e-4, pause).astype(np.float32)])
            file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
            at += len(sound)
    (to / "hour.txt").write_text(" ".join(word for word, _ in words), encoding="utf-8")
    return to, words


@pytest.mark.system
def test_an_hour_with_one_text_is_aligned_in_less_than_a_gigabyte(hour, shared_data):
    folder, words = hour
    lexicon = shared_data / "espeak_vi" / "vietnamese_hanoi_mfa.dict"
    command = ["align", folder / "hour.wav", folder / "hour.txt", "--lexicon", lexicon]
    aligning = [sys.executable, "-m", "speechmill", *map(str, command)]
    peak = subprocess.run([sys.executable, "-c", PEAK, *aligning], check=True, capture_output=True, text=True)
    assert int(peak.stdout) < 1_000_000
    (tier,) = [one for one in textgrid.read(folder / "hour.TextGrid").tiers if one.name == "words"]
    found = iter(tier.intervals)
    near, last = 0, next(found)
    for word, start in words:  # words that were called not spoken have no interval: the text's order tells which
        if last is not None and last.symbol == word and abs(last.start - start) < 5:
            near += abs(last.start - start) < 0.1
            last = next(found, None)
    assert last is None  # every interval is a word of the text, in its order
    assert near >= 0.95 * len(words)
