# SPDX-License-Identifier: Apache-2.0
"""Trees over phones whose neighbours matter, and over phones whose neighbours don't."""

import numpy as np
import pytest

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.model import load, save
from speechmill.acoustic.train import Options, train
from speechmill.acoustic.trees import Lookup
from speechmill.acoustic.triphone import Contexts, families, likelihood, questions, tied

PHONES = ("<sil>", "<unk>", "a", "b", "m", "n")
FLOOR = np.array([0.01])


def row(left, right, phone, place, mean, frames=500.0, variance=1.0):
    """A context and the sums of its frames, of one dimension."""
    who = [PHONES.index(one) for one in (left, right, phone)]
    return [*who, place], [frames, frames * mean, frames * (variance + mean**2)]


def contexts():
    """`a` is at 0 after b and at 8 after m and n; nothing else depends on anything."""
    rows = [row("<sil>", "<sil>", "<sil>", place, -20.0) for place in range(3)]
    for place in range(3):
        rows += [row(left, "b", "a", place, 0.0 if left == "b" else 8.0) for left in ("b", "m", "n")]
        rows += [row("a", "a", phone, place, mean) for phone, mean in (("b", 30.0), ("m", 50.0), ("n", 50.5))]
    who, sums = zip(*rows, strict=True)
    return Contexts(np.array(who), np.array(sums))


def test_likelihood_of_frames_under_their_own_gaussian():
    sums = np.array([100.0, 0.0, 400.0])  # variance 4
    assert likelihood(sums, FLOOR) == pytest.approx(-0.5 * 100 * np.log(4.0))


def test_the_most_alike_phones_make_a_question():
    asked = {tuple(PHONES[index] for index in np.flatnonzero(one)) for one in questions(contexts(), 6, FLOOR)}
    assert ("m", "n") in asked
    assert ("a",) in asked


def test_a_neighbour_that_matters_is_asked_for():
    tying, mixtures = tied(contexts(), PHONES, FLOOR, 100, 100, tonal=False)
    lookup = Lookup(tying)
    assert lookup("a", "m", "b") == lookup("a", "n", "b") != lookup("a", "b", "b")
    assert lookup("b", "a", "a") == lookup("b", "m", "n")
    assert mixtures.means[lookup("a", "m", "b")[0], 0] == pytest.approx(8.0)
    assert lookup("<sil>", "a", "b") == (0, 1, 2)
    assert set(lookup("never", "a", "b")) == {3}
    assert tying.num_states == 4 + 3 * 4 + 3  # `a` has two states in each place


def test_leaves_are_capped():
    tying, _ = tied(contexts(), PHONES, FLOOR, 17, 100, tonal=False)
    assert tying.num_states == 17


def test_tones_share_a_tree():
    phones = ("<sil>", "<unk>", "a˧˥", "a˩", "n", "o1", "o2", "1")
    assert families(phones, tonal=True) == [[2, 3], [4], [5, 6], [7]]
    assert families(phones, tonal=False) == [[2], [3], [4], [5], [6], [7]]


def test_triphones_align_and_can_be_saved(band_examples, band_lexicon, spoken, tmp_path):
    options = Options(triphones=(1, 2), leaf_frames=40, adapt_before=(10,))
    model = train(band_examples, band_lexicon, options, threads=1)
    assert model.tying.num_states > 22  # the monophones'
    assert model.transforms
    save(model, tmp_path / "model.npz")
    samples, truth = spoken(["sad", "dis"], 60)
    found = Aligner(load(tmp_path / "model.npz"), band_lexicon).align(samples, ((("sad",),), (("dis",),)))
    phones = [phone for word in found.phones for phone in word]
    assert float(np.mean([abs(phone.start - start) for phone, (_, start, _) in zip(phones, truth, strict=True)])) < 0.02
