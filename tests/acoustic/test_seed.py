# SPDX-License-Identifier: Apache-2.0
import numpy as np

from speechmill.acoustic import seed
from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.trees import monophones


def test_the_seed_is_made_of_the_features_that_training_uses():
    # Where this fails, FeatureConfig or the code of features has changed: run training/seed_acoustic.py.
    assert seed.fits(FeatureConfig())
    assert seed.fits(FeatureConfig(pitch=True))
    assert not seed.fits(FeatureConfig(hop_ms=10.0))


def test_the_seed_is_small_and_says_whose_speech_it_is():
    assert seed.FILE.stat().st_size < 300_000
    assert "LibriSpeech" in seed.read().card.licence


def test_pitch_and_voicing_are_not_among_the_columns_the_seed_knows():
    assert seed.columns(FeatureConfig()).tolist() == list(range(39))
    assert seed.columns(FeatureConfig(pitch=True)).tolist() == [*range(13), *range(15, 28), *range(30, 43)]


def test_symbols_of_ipa_are_likened_by_their_base():
    like = seed.likened(["tʰ", "t͡ʃ", "ɲ", "a˨˩", "j", "ɣ", "ə"])
    assert like["tʰ"] == ("T",)
    assert like["t͡ʃ"] == ("CH",)
    assert like["ɲ"] == ("N",)
    assert like["a˨˩"] == ("AA", "AE", "AH")
    assert like["j"] == ("Y",)
    assert like["ɣ"] == ("HH", "V", "DH")


def test_arpabet_is_taken_as_it_is():
    assert seed.likened(["AA1", "HH", "ZH"]) == {"AA1": ("AA",), "HH": ("HH",), "ZH": ("ZH",)}


def test_letters_are_likened_by_their_sound_or_their_name():
    like = seed.likened(["đ", "ế", "c", "б", "ក", "γ"])
    assert like["đ"] == ("D", "DH")
    assert like["ế"] == ("EH", "EY")
    assert like["c"] == ("K", "CH")
    assert like["б"] == ("B",)  # CYRILLIC SMALL LETTER BE
    assert like["ក"] == ("K",)  # KHMER LETTER KA
    assert like["γ"] == ("G",)  # GREEK SMALL LETTER GAMMA


def test_what_nobody_knows_is_likened_to_nothing():
    assert seed.likened(["山", "7", "'"]) == {"山": (), "7": (), "'": ()}


def test_the_first_guess_has_gaussians_for_every_state():
    tying = monophones(["a", "ŋ", "7"])
    found = seed.mixtures(tying)
    assert found.num_states == 4 + 9
    sums = np.bincount(found.owner, found.weights)
    np.testing.assert_allclose(sums, 1, atol=1e-3)
    unknown = found.means[found.first[3] : found.first[4]]
    of_seven = found.means[found.first[10] : found.first[11]]
    np.testing.assert_array_equal(of_seven, unknown)
