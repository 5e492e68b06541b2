# SPDX-License-Identifier: Apache-2.0
"""A transform that is known, found again."""

import numpy as np

from speechmill.acoustic.fmllr import Evidence
from speechmill.acoustic.gmm import Mixtures, Scorer
from speechmill.acoustic.normalise import transformed


def setting(num_frames):
    """Frames of twelve states in four dimensions, and the same frames as another speaker says them."""
    rng = np.random.default_rng(0)
    mixtures = Mixtures(np.arange(13, dtype=np.int32), np.ones(12), rng.normal(0, 4, (12, 4)), np.ones((12, 4)))
    states = rng.integers(0, 12, num_frames).astype(np.int32)
    features = (mixtures.means[states] + rng.normal(0, 1, (num_frames, 4))).astype(np.float32)
    distortion = np.eye(4) + rng.normal(0, 0.15, (4, 4))
    return Scorer(mixtures), states, features, (features @ distortion.T + [1.0, -2.0, 0.5, 3.0]).astype(np.float32)


def test_a_distortion_is_undone():
    scorer, states, features, distorted = setting(20_000)
    evidence = Evidence(4)
    evidence.add(distorted, states, scorer)
    restored = transformed(distorted, evidence.transform())
    assert float(np.abs(distorted - features).mean()) > 1.0
    assert float(np.abs(restored - features).mean()) < 0.1


def test_parts_add_up_to_the_whole():
    scorer, states, _, distorted = setting(4000)
    whole, first, second = Evidence(4), Evidence(4), Evidence(4)
    whole.add(distorted, states, scorer)
    first.add(distorted[:1000], states[:1000], scorer)
    second.add(distorted[1000:], states[1000:], scorer)
    first.merge(second)
    np.testing.assert_allclose(first.transform(), whole.transform(), atol=1e-3)


def test_too_little_speech_has_no_transform():
    scorer, states, _, distorted = setting(1999)
    evidence = Evidence(4)
    evidence.add(distorted, states, scorer)
    assert evidence.transform() is None


def test_frames_without_a_state_are_left_out():
    scorer, states, _, distorted = setting(3000)
    states[1000:] = -1
    evidence = Evidence(4)
    evidence.add(distorted, states, scorer)
    assert evidence.frames == 1000
