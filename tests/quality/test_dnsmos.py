# SPDX-License-Identifier: Apache-2.0
"""Scores are upstream's; expected values were computed once with speechmos 0.0.1.1 and onnxruntime 1.31.1."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import FormatError, MissingModel, Unscorable
from speechmill.core.stage import Context
from speechmill.models.inference import session
from speechmill.models.onnx_graph import node, written
from speechmill.quality import Cut, _dnsmos_network, dnsmos
from speechmill.quality._dnsmos_early import AsShipped

UPSTREAM = {  # sig, bak, ovrl
    "1688/1688-142285-0000": (3.173061, 3.691882, 2.769724),  # 15.0 s
    "1998/1998-15444-0002": (3.672352, 3.765969, 3.223997),  # 9.11 s
    "1998/1998-15444-0008": (3.499398, 3.651714, 3.016554),  # 2.945 s
    "2033/2033-164914-0004": (3.575299, 4.161849, 3.356496),  # 4.305 s
    "2609/2609-156975-0008": (3.649094, 3.379763, 3.003181),  # 7.11 s
}


@pytest.fixture(scope="module")
def backend() -> dnsmos.Backend:
    try:
        return dnsmos.Backend(dnsmos.Config(), Context(Path(), models.path))
    except MissingModel as error:
        pytest.skip(str(error))


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def tone(num_samples: int) -> np.ndarray:
    """A tone whose pitch and loudness move."""
    time = np.arange(num_samples) / 16_000
    phase = 2 * np.pi * (200 * time + 40 * np.sin(2 * np.pi * time))
    return (0.3 * np.sin(phase) * (0.5 + 0.5 * np.sin(6 * np.pi * time))).astype(np.float32)


@pytest.mark.parametrize(("name", "expected"), UPSTREAM.items())
def test_speech_scores_as_upstream(backend, shared_data, name, expected):
    samples = decode(shared_data / "librispeech_test_other" / f"{name}.flac")
    scores = backend.score(Cut(samples))
    assert list(scores) == ["dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"]
    assert list(scores.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("num_samples", "expected"),
    [
        (192_000, (2.549275, 3.253159, 1.985231)),
        (97_003, (2.693079, 3.260395, 2.106499)),  # repeats off the network's frames
        (144_160, (2.549275, 3.253159, 1.985231)),  # exactly one window
        (144_159, (2.588826, 3.137356, 1.990865)),  # a sample less is repeated
        (1_600, (1.202506, 1.188229, 1.058258)),
    ],
)
def test_a_synthetic_tone_scores_as_upstream(backend, num_samples, expected):
    assert list(backend.score(Cut(tone(num_samples))).values()) == pytest.approx(expected, abs=1e-5)


def test_sharing_convolutions_changes_no_window(backend):
    """Against the whole network on every window alone, with pauses so that window edges matter."""
    samples = tone(14 * 16_000) + 0.05 * np.random.default_rng(0).standard_normal(14 * 16_000).astype(np.float32)
    samples[5 * 16_000 : 6 * 16_000] = 0
    seconds = [0, 1, 2, 4]
    whole = session(models.path("dnsmos") / "sig_bak_ovr.onnx")
    windows = [samples[second * 16_000 :][None, : dnsmos.WINDOW] for second in seconds]
    alone = np.concatenate([whole.run(None, {"input_1": window})[0] for window in windows])
    np.testing.assert_allclose(backend._network.windows(samples, seconds), alone, atol=2e-5)
    # A window's value doesn't depend on which others are asked for.
    np.testing.assert_allclose(backend._network.windows(samples, [1, 2]), alone[1:3], atol=2e-5)


def test_blocks_leave_no_trace(backend, monkeypatch):
    samples = tone(12 * 16_000)
    expected = backend._network.windows(samples, [0, 2])
    monkeypatch.setattr(_dnsmos_network, "_EARLY_BLOCK", 64)
    monkeypatch.setattr(_dnsmos_network, "_LATE_BLOCK", 100)
    np.testing.assert_allclose(backend._network.windows(samples, [0, 2]), expected, atol=1e-5)


@pytest.mark.parametrize("period", [2 * 16_000, 16_160, 3_216, 5 * 16_000 - 80])
def test_repeated_audio_is_computed_once_to_the_same_scores(backend, period):
    """Periods of an even and an odd number of hops, of no whole number, and one that is too long to help."""
    samples = np.resize(tone(period), 12 * 16_000)
    expected = backend._network.windows(samples, [0, 1, 2])
    np.testing.assert_allclose(backend._network.windows(samples, [0, 1, 2], period=period), expected, atol=1e-5)


def test_windows_far_apart_are_scored_alone(backend):
    """Between them lies audio that no window sees; it isn't computed, and changes nothing."""
    samples = tone(40 * 16_000)
    together = backend._network.windows(samples, [0, 1, 30])
    np.testing.assert_allclose(together[2:], backend._network.windows(samples, [30]), atol=1e-6)
    samples[11 * 16_000 : 29 * 16_000] = 0
    np.testing.assert_array_equal(backend._network.windows(samples, [0, 1, 30]), together)


def test_neighbours_end_at_a_gap_and_after_24_seconds():
    assert list(_dnsmos_network._neighbours([0, 1, 6, 15, 25])) == [[0, 1, 6, 15], [25]]
    assert [len(group) for group in _dnsmos_network._neighbours(range(60))] == [25, 25, 10]


def test_the_shipped_graph_gives_the_same(backend):
    """What a GPU or a server runs, here on the CPU."""
    path = models.path("dnsmos") / "sig_bak_ovr.onnx"
    network = _dnsmos_network.Network(path, "cpu")
    early = session(_dnsmos_network.networks(path.read_bytes())["dnsmos_early"])
    network._early = AsShipped(early, "mos_estimator_logpow/truediv:0")
    samples = tone(11 * 16_000)
    np.testing.assert_allclose(network.windows(samples, [0, 1]), backend._network.windows(samples, [0, 1]), atol=2e-5)


def test_another_file_is_refused(tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(written([node("Relu", ["x"], ["y"])], {}, {"x": ("N",)}, {"y": ("N",)}))
    with pytest.raises(FormatError, match=r"other\.onnx: no weights .*not DNSMOS"):
        _dnsmos_network.Network(other, "cpu")


def test_windows_are_those_that_upstream_scores():
    assert dnsmos._window_seconds(144_160) == [0]
    assert dnsmos._window_seconds(14 * 16_000) == [0, 1, 2, 3, 4]
    assert dnsmos._window_seconds(14 * 16_000 + 15_999) == [0, 1, 2, 3, 4]  # 14.99 s count as 14
    # int((7 + 9.01) * 16000) is 256159, a sample short of a window, and so on to 23.
    assert dnsmos._window_seconds(40 * 16_000) == [*range(7), *range(24, 31)]


def test_digital_silence_has_finite_scores(backend):
    scores = backend.score(Cut(np.zeros(32_000, np.float32)))
    assert list(scores.values()) == pytest.approx((2.513565, 3.472424, 1.839863), abs=1e-5)


def test_too_short_says_so(backend):
    with pytest.raises(Unscorable) as caught:
        backend.score(Cut(tone(1_599)))
    assert caught.value.reason == "too-short"
