# SPDX-License-Identifier: Apache-2.0
"""Long recordings: pieces, doubts, and what is said of words that aren't there, by an aligner that shares time out."""

import json

import numpy as np
import pytest

from speechmill.acoustic import long
from speechmill.acoustic._long_pieces import Found, Piece, Spot, found
from speechmill.acoustic._long_search import Coarse, line_of
from speechmill.acoustic._long_sound import beginning
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.types import Aligned
from speechmill.core.errors import Unalignable
from speechmill.core.types import Interval, Word
from speechmill.formats import lexicon as lexica
from speechmill.formats.audio import read_audio
from speechmill.formats.lexicon import Lexicon, Pronunciation

TEXT = "pas mi lob fuz new"
LEXICON = Lexicon({word: (Pronunciation(tuple(word)),) for word in TEXT.split()})
PAS, MI, LOB, FUZ, NEW = range(5)


def ways(text=TEXT):
    return tuple(((word,),) for word in text.split())


def coarse(stretches, outside=()):
    """A search's result. stretches: (word, frames), -1 for a gap; outside: frames of gaps that are speech."""
    line = line_of(ways(), LEXICON)
    path, fit = [], []
    for word, length in stretches:
        first, count = (int(line.gaps[word]) + 1, len(TEXT.split()[word])) if word >= 0 else (0, 1)
        path += [first + min(count - 1, frame * count // length) for frame in range(length)]
        fit += [0.0] * length
    for frame in outside:
        fit[frame] = -5.0
    return Coarse(line, beginning(line.phones), np.array(path, np.int32), np.array(fit, np.float32))


class EvenAligner:
    """Shares the audio among words; those in `vanishing` give way to any speech, which then lasts a hundredth."""

    def __init__(self, vanishing=(), scores=None):
        self.lexicon = LEXICON
        self.vanishing = vanishing
        self.scores = scores or {}
        self.asked = []

    def align(self, samples, choices, *, speaker=None):
        self.asked.append(" ".join("|".join(way[0] or "*" for way in one) for one in choices))
        if not len(samples):
            raise Unalignable("audio-too-short", "no samples")
        chosen = [len(one) - 1 if one[0][0] in self.vanishing else 0 for one in choices]
        step, words, start = len(samples) / 16_000 / len(choices), [], 0.0
        for one, way in zip(choices, chosen, strict=True):
            lasts = step / 100 if len(one) > 1 and way else step
            words.append(Word(one[way][0], round(start, 4), round(lasts, 4), self.scores.get(one[way][0], 1.0)))
            start += lasts
        return Aligned(tuple(words), ((),) * len(words), tuple(chosen), 1.0)


def silence(start, duration):
    return np.zeros(round(duration * 16_000), np.float32)


def piece(start, end, spots, doubtful=(), outside=()):
    return Piece(start, end, [Spot(*spot) for spot in spots], set(doubtful), set(outside))


def aligned(pieces, aligner, outside=(), read=silence):
    sketched = long.Sketch(coarse([(PAS, 3)]), Found(tuple(pieces), tuple(outside), 0.1))
    return long.align_long(aligner, read, 100.0, ways(), sketched=sketched)


def test_a_recording_is_cut_at_its_long_pauses():
    divided = found(
        coarse([(-1, 100), (PAS, 10), (MI, 10), (-1, 50), (LOB, 10), (-1, 4), (FUZ, 10), (NEW, 10)]), ways()
    )
    assert [[spot.token for spot in one.spots] for one in divided.pieces] == [[PAS, MI], [LOB, FUZ, NEW]]
    assert [(round(one.start, 2), round(one.end, 2)) for one in divided.pieces] == [(2.7, 3.9), (4.8, 6.12)]
    assert divided.outside == ()


def test_speech_in_a_pause_is_outside_and_kept_out_of_the_pieces():
    divided = found(coarse([(PAS, 10), (-1, 50), (MI, 10)], outside=range(12, 58)), ways())
    assert divided.outside == (Interval(0.36, 1.38),)
    assert [(round(one.start, 2), round(one.end, 2)) for one in divided.pieces] == [(0.0, 0.36), (1.74, 2.1)]


def test_words_that_were_not_found_belong_to_the_piece_before_them():
    divided = found(coarse([(PAS, 10), (-1, 50), (NEW, 10)]), ways())
    assert [one.doubtful for one in divided.pieces] == [{MI, LOB, FUZ}, set()]


def test_speech_within_a_piece_is_noted_before_the_next_word():
    divided = found(coarse([(PAS, 10), (-1, 20), (MI, 10)], outside=range(14, 28)), ways())
    assert [one.outside for one in divided.pieces] == [{MI}]


def test_words_are_timed_on_the_recordings_timeline():
    timed = aligned([piece(50.0, 52.0, [(PAS, 1670, 1700), (MI, 1700, 1730)])], EvenAligner())
    assert timed.words[:2] == ((Word("pas", 50.0, 1.0, 1.0),), (Word("mi", 51.0, 1.0, 1.0),))


def test_a_word_that_gives_way_to_nothing_is_not_spoken_and_named():
    aligner = EvenAligner(vanishing=("mi",))
    spots = [(PAS, 0, 10), (LOB, 10, 20), (FUZ, 20, 30), (NEW, 30, 40)]
    timed = aligned([piece(0.0, 3.0, spots, doubtful={MI})], aligner)
    assert timed.words[MI] is None
    assert timed.warnings == ("not-spoken: mi (1 tokens from token 1 on)",)
    assert aligner.asked[-1] == "pas lob fuz new"


def test_a_word_that_only_seemed_missing_is_timed():
    timed = aligned([piece(0.0, 2.0, [(PAS, 0, 10)], doubtful={MI})], EvenAligner())
    assert timed.words[MI] == (Word("mi", 1.0, 1.0, 1.0),)


def test_a_badly_scored_word_with_room_for_it_is_not_doubted():
    aligner = EvenAligner(vanishing=("mi",), scores={"mi": 0.1})
    timed = aligned([piece(0.0, 2.0, [(PAS, 0, 10), (MI, 10, 20)])], aligner)
    assert aligner.asked == ["pas mi"]
    assert timed.words[MI][0].score == 0.1


def test_a_badly_scored_word_with_little_room_is_tried_against_any_speech():
    aligner = EvenAligner(vanishing=("mi",), scores={"mi": 0.1})
    timed = aligned([piece(0.0, 2.0, [(PAS, 0, 10), (MI, 10, 12)])], aligner)
    assert aligner.asked == ["pas mi", "pas mi|*", "pas"]
    assert timed.words[MI] is None


def test_speech_between_words_is_given_a_place_of_its_own():
    aligner = EvenAligner()
    timed = aligned([piece(0.0, 3.0, [(PAS, 0, 10), (MI, 50, 60)], outside={MI})], aligner)
    assert aligner.asked == ["pas * mi"]
    assert timed.words[MI] == (Word("mi", 2.0, 1.0, 1.0),)


def test_a_piece_that_cant_be_aligned_keeps_the_searchs_times_and_says_so():
    timed = aligned([piece(1.0, 2.0, [(PAS, 34, 44)])], EvenAligner(), read=lambda start, duration: silence(0, 0))
    assert timed.words[PAS] == (Word("pas", 1.02, 0.3, 0.0),)
    assert timed.warnings[-1] == "coarse-times: 1.0 s to 2.0 s: audio-too-short: no samples"


def test_a_long_run_of_missing_words_is_named_by_its_ends():
    text = ways("a b c d e f g")
    assert long._run(text, range(7)) == "a b c ... e f g (7 tokens from token 0 on)"


def test_a_text_without_words_is_refused():
    with pytest.raises(Unalignable, match="no-text"):
        long.sketch(silence, 10.0, ((), ()), LEXICON)


def test_audio_shorter_than_a_frame_is_refused():
    with pytest.raises(Unalignable, match="audio-too-short"):
        long.sketch(silence, 0.02, ways(), LEXICON)


def test_a_text_is_not_forced_on_silence():
    where = long.sketch(silence, 20.0, ways(), LEXICON)
    timed = long.align_long(EvenAligner(), silence, 20.0, ways(), sketched=where)
    assert timed.outside == ()
    assert sum(one is not None for one in timed.words) <= 1


def strung(folder, names):
    """Clips with pauses of a second: samples, and (word, start) in seconds."""
    gold = json.loads((folder / "gold_words.json").read_text(encoding="utf-8"))
    parts, words, offset = [], [], 0.0
    for name in names:
        clip = read_audio(folder / name.partition("_")[0] / f"{name}.flac")[0][0]
        words.append([(word, start + offset) for word, start, _ in gold[name]])
        parts += [clip, np.zeros(16_000, np.float32)]
        offset += len(clip) / 16_000 + 1.0
    return np.concatenate(parts).astype(np.float32), words


@pytest.mark.slow
def test_missing_text_and_missing_speech_are_found_without_a_model(shared_data):
    folder = shared_data / "espeak_vi"
    names = sorted(json.loads((folder / "gold_words.json").read_text(encoding="utf-8")))[0:50:2]
    samples, clips = strung(folder, names)
    text = [*clips[:5], *clips[6:12], [(word, None) for word, _ in clips[20]], *clips[12:]]
    words = [word for clip in text for word in clip]
    lexicon = lexica.read(folder / "vietnamese_hanoi_mfa.dict")
    said = tuple(((word,),) for word, _ in words)

    def read(start, duration):
        return samples[round(start * 16_000) : round((start + duration) * 16_000)]

    duration = len(samples) / 16_000
    where = long.sketch(read, duration, said, lexicon)
    model = long.bootstrap(read, duration, said, lexicon, sketched=where)
    timed = long.align_long(Aligner(model, lexicon), read, duration, said, sketched=where)
    near = [
        one is not None and abs(one[0].start - start) < 0.1
        for one, (_, start) in zip(timed.words, words, strict=True)
        if start is not None
    ]
    assert np.mean(near) >= 0.9
    absent = {i for i, (_, start) in enumerate(words) if start is None}
    named = {i for i, one in enumerate(timed.words) if one is None}
    assert len(absent & named) >= 0.8 * len(absent)
    assert len(named - absent) <= 0.05 * len(words)
    left_out = clips[5][0][1]
    assert any(one.start < left_out + 1.0 and one.end > left_out for one in timed.outside)
