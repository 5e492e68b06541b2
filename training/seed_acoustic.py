# SPDX-License-Identifier: Apache-2.0
"""Make `acoustic/seed.npz`: how the phones of English sound, the first guess at those of any language.

Clips of LibriSpeech (CC BY 4.0) are recognised by pocketsphinx, whose model also says when each phone is; Gaussians
are trained from there, with new alignments in between. Words that it got wrong do little harm: what it heard is close.

    python training/seed_acoustic.py --data ../shared/data [--alignments phones.json]
"""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic import seed
from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.gmm import Mixtures, estimated, single, split, state_counts
from speechmill.acoustic.graph import Graph, build
from speechmill.acoustic.passes import Outcome, aligned, even_steps, gathered
from speechmill.acoustic.pronounce import Pronounced
from speechmill.acoustic.trees import PHONE_STATES, Lookup, monophones
from speechmill.acoustic.types import Example
from speechmill.formats.audio import read_audio
from speechmill.formats.lexicon import Lexicon, Pronunciation

CLIPS = 160  # half an hour; three and a half minutes served nearly as well
SCHEDULE = (1, 2, 4, 4, 8, 8)  # Gaussians a state
SILENCE_SIZE, UNKNOWN_SIZE = 16, 16
FLOOR, MIN_COUNT, COMPONENT_FRAMES = 0.05, 4.0, 30
LICENCE = "CC BY 4.0: made of LibriSpeech (Panayotov et al. 2015), heard by pocketsphinx with CMUdict"
NOT_SPEECH = ("SIL", "+SPN+", "+NSN+")
HZ = 100  # pocketsphinx's frames

Phones = list[tuple[str, int, int]]  # phone, first frame, number of frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with librispeech_train_speakers")
    parser.add_argument("--alignments", type=Path, help="what pocketsphinx heard, kept for the next time")
    parser.add_argument("--out", type=Path, default=seed.FILE)
    options = parser.parse_args()
    clips = sorted((options.data / "librispeech_train_speakers").glob("*.flac"))[:CLIPS]
    if options.alignments and options.alignments.exists():
        heard = json.loads(options.alignments.read_text())
    else:
        heard = {clip.stem: phones for clip in clips if (phones := listen(clip))}
    if options.alignments:
        options.alignments.write_text(json.dumps(heard))
    made = trained([clip for clip in clips if clip.stem in heard], heard)
    seed.write(made, options.out)
    print(f"{len(heard)} clips, {made.card.hours:.2f} h; {options.out}: {options.out.stat().st_size} bytes")


def listen(clip: Path) -> Phones:
    """Return what pocketsphinx hears; nothing where it can't tell when."""
    samples, _ = read_audio(clip)
    content = (np.clip(samples[0], -1, 1) * 32767).astype(np.int16).tobytes()
    decoder = recogniser()
    decoder.activate_search()
    once(decoder, content)
    words = [part.word.partition("(")[0] for part in decoder.seg() if part.word[0] not in "<["]
    try:
        decoder.set_align_text(" ".join(words))
        once(decoder, content)
        decoder.set_alignment()
        once(decoder, content)
    except RuntimeError as error:
        print(f"{clip.name}: left out: {error}")
        return []
    return [(phone.name, phone.start, phone.duration) for word in decoder.get_alignment() for phone in word]


@functools.lru_cache(maxsize=1)
def recogniser() -> Any:
    import pocketsphinx

    narrow = {"beam": 1e-40, "pbeam": 1e-40, "wbeam": 1e-30, "maxhmmpf": 4000}
    return pocketsphinx.Decoder(loglevel="FATAL", fwdflat=False, bestpath=False, **narrow)


def once(decoder: Any, content: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(content, full_utt=True)
    decoder.end_utt()


def trained(clips: list[Path], heard: dict[str, Phones]) -> seed.Seed:
    """Train on clips, from what was heard in them."""
    spoken = {clip.stem: words_of(heard[clip.stem]) for clip in clips}
    entries = {" ".join(word): (Pronunciation(word),) for words in spoken.values() for word in words}
    lexicon = Lexicon(entries)
    examples = [example(clip, spoken[clip.stem]) for clip in clips]
    config = FeatureConfig()
    with Corpus(config, 0) as corpus:
        corpus.fill(examples, lambda share: None)
        tying = monophones(lexicon.phones)
        lookup = Lookup(tying)
        pronounced = Pronounced(lexicon)
        graphs = [build(one.ways, pronounced, lookup, -0.7) for one in corpus.utterances]
        front = functools.cache(lambda number: corpus.features(corpus.utterances[number]))
        labels = [labelled(heard[one.key], one.num_frames, lookup, config) for one in corpus.utterances]
        first = single(tying.num_states, np.zeros(config.num_dimensions), np.ones(config.num_dimensions))
        floor = np.full(config.num_dimensions, FLOOR) * variance(corpus)
        mixtures = estimated(first, gathered(corpus, labels.__getitem__, front, first), floor, MIN_COUNT)
        for size in SCHEDULE:
            mixtures, outcome = improved(corpus, graphs, front, mixtures, floor, size)
        mixtures = unknown(corpus, graphs, front, mixtures, outcome, floor)
        hours = round(corpus.num_frames * config.hop_ms / 3.6e6, 3)
        return seed.Seed(seed.SeedCard(LICENCE, hours, config, tying.phones[2:]), mixtures)


def words_of(phones: Phones) -> list[tuple[str, ...]]:
    """Return the phones between pauses, as if they were words."""
    words: list[list[str]] = [[]]
    for name, _, _ in phones:
        if name not in NOT_SPEECH:
            words[-1].append(name)
        elif words[-1]:
            words.append([])
    return [tuple(word) for word in words if word]


def example(clip: Path, words: list[tuple[str, ...]]) -> Example:
    ways = tuple(((" ".join(word),),) for word in words)
    return Example(clip.stem, 0.0, lambda: read_audio(clip)[0][0], ways, clip.stem.partition("-")[0])


def labelled(phones: Phones, num_frames: int, lookup: Lookup, config: FeatureConfig) -> NDArray[np.int32]:
    """Return a state for each frame: those of a phone share its time evenly."""
    scale = 1000 / config.hop_ms / HZ
    found = np.full(num_frames, -1, np.int32)
    for name, start, length in phones:
        states = lookup("<sil>" if name in NOT_SPEECH else name, "<sil>", "<sil>")
        begin, end = round(start * scale), min(num_frames, round((start + length) * scale))
        found[begin:end] = np.array(states)[np.arange(end - begin) * len(states) // max(1, end - begin)]
    return found


def variance(corpus: Corpus) -> NDArray[np.float64]:
    values = np.concatenate([corpus.features(one) for one in corpus.utterances])
    return np.asarray(values.var(axis=0, dtype=np.float64))


def improved(
    corpus: Corpus, graphs: list[Graph], front: Any, mixtures: Mixtures, floor: NDArray[np.float64], size: int
) -> tuple[Mixtures, Outcome]:
    """Align, estimate, split."""
    outcome = aligned(corpus, graphs, front, mixtures, even_steps(mixtures.num_states))
    wanted = state_counts(mixtures, outcome.statistics).astype(np.int64) // COMPONENT_FRAMES
    wanted[:PHONE_STATES] = np.clip(wanted[:PHONE_STATES], 1, 2 * size)
    wanted[PHONE_STATES + 1 :] = np.clip(wanted[PHONE_STATES + 1 :], 1, size)
    wanted[PHONE_STATES] = 1
    mixtures = estimated(mixtures, outcome.statistics, floor, MIN_COUNT)
    return split(mixtures, wanted), aligned(corpus, graphs, front, split(mixtures, wanted), outcome.stay.steps())


def unknown(
    corpus: Corpus, graphs: list[Graph], front: Any, mixtures: Mixtures, outcome: Outcome, floor: NDArray[np.float64]
) -> Mixtures:
    """Estimate the last alignment's Gaussians, and those of any speech."""
    mixtures = estimated(mixtures, outcome.statistics, floor, MIN_COUNT)

    def speech(number: int) -> NDArray[np.int32] | None:
        path = outcome.paths[number]
        return None if path is None else np.where(graphs[number].unit[path] >= 0, PHONE_STATES, -1).astype(np.int32)

    while True:
        mixtures = estimated(mixtures, gathered(corpus, speech, front, mixtures), floor, MIN_COUNT)
        wanted = mixtures.sizes.copy()
        if wanted[PHONE_STATES] >= UNKNOWN_SIZE:
            return mixtures
        wanted[PHONE_STATES] *= 2
        mixtures = split(mixtures, wanted)


if __name__ == "__main__":
    main()
