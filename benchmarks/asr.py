# SPDX-License-Identifier: Apache-2.0
"""Recognition offline: speed and word error rate of our `pocketsphinx` and of the engine's own decoder as it comes.

Row `pocketsphinx` is seconds of audio per CPU second over all files. Ours counts voice activity detection and the
decoding of the speech that it found; the baseline is pocketsphinx.Decoder() with no option changed, one for all files
as its command line has, which decodes each whole file. Both work on a file in turn. Rows `wer_test_other` and
`wer_austen` are word error rates of the same transcripts, lower is better, with character error rates beside them:
60 utterances of LibriSpeech test-other, and clean readings of Jane Austen from LibriVox. No option was tuned on these.

    OMP_NUM_THREADS=1 python benchmarks/asr.py [--data FOLDER] [--repeat 1] [--limit FILES]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx

from speechmill import models
from speechmill.asr.pocketsphinx import Backend, Config
from speechmill.core.stage import Context, Samples
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.measures.wer import Wer, cer, tokens, wer
from speechmill.vad import silero

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = {"test_other": "librispeech_test_other", "austen": "librivox_austen"}
HZ = 16_000
CONTEXT = Context(Path(), models.path)
BASELINE = f"pocketsphinx {version('pocketsphinx')}, Decoder() as it comes, on whole files"

Recogniser = Callable[[Samples], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--limit", type=int, default=None, help="of files of each set, for a quick look")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    sets = {name: list(files(options.data / folder))[: options.limit] for name, folder in SETS.items()}
    rounds = [decoded(sets) for _ in range(options.repeat)]
    rows = [speed(rounds), *(errors(name, sets[name], rounds[-1]) for name in SETS)]
    for row in rows:
        print(f"{row['name']}: {row['ours']} against {row['baseline']}", file=sys.stderr)
    print(json.dumps({"rows": rows}))


def files(folder: Path) -> Iterator[tuple[Samples, str]]:
    """Yield the samples and the text of each file that transcripts.tsv lists."""
    header, *lines = (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    for line in lines:
        row = dict(zip(names, line.split("\t"), strict=True))
        (samples, *_), sampling_rate = read_audio(folder / row[names[0]])
        if sampling_rate != HZ:
            raise SystemExit(f"{folder / row[names[0]]}: {sampling_rate} Hz, {HZ} wanted")
        yield samples, row["text"]


def decoded(sets: dict[str, list[tuple[Samples, str]]]) -> dict[str, Any]:
    """Let both recognisers write down every file, in turn; returns texts and CPU seconds."""
    recognisers = {"ours": ours(), "baseline": stock()}
    found: dict[str, Any] = {"audio_s": 0.0, **{who: {"cpu_s": 0.0} for who in recognisers}}
    for name, content in sets.items():
        for samples, _ in content:
            found["audio_s"] += len(samples) / HZ
            for who, recognise in recognisers.items():
                before = time.process_time()
                text = recognise(samples)
                found[who]["cpu_s"] += time.process_time() - before
                found[who].setdefault(name, []).append(text)
    return found


def ours() -> Recogniser:
    detector = silero.Backend(silero.Config(), CONTEXT)
    backend = Backend(Config(), CONTEXT)

    def recognise(samples: Samples) -> str:
        audio = ArrayAudio([samples])
        transcript = backend.transcribe(audio, detector.speech(audio, 0), "en")
        return " ".join(one.text or "" for one in transcript.utterances)

    return recognise


def stock() -> Recogniser:
    decoder = pocketsphinx.Decoder(loglevel="FATAL")

    def recognise(samples: Samples) -> str:
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    return recognise


def speed(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of speed; medians over rounds."""
    x = {who: [one["audio_s"] / one[who]["cpu_s"] for one in rounds] for who in ("ours", "baseline")}
    mine, theirs = (statistics.median(values) for values in x.values())
    return {
        "name": "pocketsphinx",
        "unit": "audio seconds per CPU second",
        "ours": round(mine, 2),
        "baseline": round(theirs, 2),
        "baseline_name": BASELINE,
        "ratio": round(mine / theirs, 2),
        "audio_s": round(rounds[0]["audio_s"], 1),
        "runs": [round(value, 2) for value in x["ours"]],
    }


def errors(name: str, content: list[tuple[Samples, str]], found: dict[str, Any]) -> dict[str, Any]:
    """Return the row of error rates of one set, over all its words together."""
    references = [text for _, text in content]
    rates = {who: _rate(references, found[who][name], _words) for who in ("ours", "baseline")}
    letters = {who: _rate(references, found[who][name], _letters) for who in ("ours", "baseline")}
    return {
        "name": f"wer_{name}",
        "unit": "word error rate",
        "ours": round(rates["ours"], 4),
        "baseline": round(rates["baseline"], 4),
        "baseline_name": BASELINE,
        "ratio": round(rates["ours"] / rates["baseline"], 3),
        "cer": round(letters["ours"], 4),
        "baseline_cer": round(letters["baseline"], 4),
        "words": sum(len(tokens(text)) for text in references),
    }


def _words(reference: str, hypothesis: str) -> Wer:
    return wer(tokens(reference), tokens(hypothesis))


def _letters(reference: str, hypothesis: str) -> Wer:
    return cer(" ".join(tokens(reference)), " ".join(tokens(hypothesis)))


def _rate(references: list[str], hypotheses: list[str], measure: Callable[[str, str], Wer]) -> float:
    found = [measure(*pair) for pair in zip(references, hypotheses, strict=True)]
    return sum(one.substitutions + one.deletions + one.insertions for one in found) / sum(one.words for one in found)


if __name__ == "__main__":
    main()
