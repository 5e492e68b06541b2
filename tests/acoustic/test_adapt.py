# SPDX-License-Identifier: Apache-2.0
"""Adapting to a speaker and to new data."""

import msgspec
import numpy as np
import pytest

from speechmill.acoustic.adapt import adaptation, adapted_model
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.train import TrainingError, train


@pytest.fixture(scope="module")
def model(band_examples, band_lexicon):
    return train(band_examples, band_lexicon, threads=1)


def filtered(example):
    """The same utterance through a dull telephone: louder, and each sample smeared into the next."""

    def read():
        samples = example.read()
        return (2 * samples + 1.6 * np.concatenate([[0], samples[:-1]])).astype(np.float32)

    return msgspec.structs.replace(example, read=read)


def test_a_speaker_is_normalised_by_all_that_he_says(model, band_examples, band_lexicon):
    aligner = Aligner(model, band_lexicon)
    examples = [filtered(example) for example in band_examples[:10]]
    speaker = adaptation(aligner, examples)
    assert speaker.mean.shape == (13,)
    assert speaker.mean[0] > model.average.mean[0]
    plain = [aligner.align(one.read(), one.ways) for one in band_examples[:10]]
    heard = [aligner.align(one.read(), one.ways, speaker=speaker) for one in examples]
    shifts = [
        abs(a.start - b.start) for x, y in zip(plain, heard, strict=True) for a, b in zip(x.words, y.words, strict=True)
    ]
    assert float(np.mean(shifts)) < 0.01


def test_nothing_to_adapt_to_leaves_the_average(model, band_lexicon):
    speaker = adaptation(Aligner(model, band_lexicon), [])
    np.testing.assert_allclose(speaker.mean, model.average.mean, rtol=1e-4)


def test_means_move_towards_new_data(model, band_examples, band_lexicon):
    aligner = Aligner(model, band_lexicon)
    examples = [filtered(example) for example in band_examples[:20]]
    moved = adapted_model(model, band_lexicon, examples, threads=1)
    assert moved.digest != model.digest
    assert moved.card.utterances == 60
    one = examples[3]
    speaker = adaptation(aligner, examples)
    before = aligner.find(one.read(), one.ways, speaker=speaker).path.likelihood
    after = Aligner(moved, band_lexicon).find(one.read(), one.ways, speaker=speaker).path.likelihood
    assert after > before


def test_nothing_to_adapt_with_is_an_error(model, band_lexicon):
    with pytest.raises(TrainingError, match="none of 0 utterances"):
        adapted_model(model, band_lexicon, [])
