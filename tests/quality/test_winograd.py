# SPDX-License-Identifier: Apache-2.0
"""Winograd's convolution against the plain sum, and the first layers of DNSMOS against the shipped graph."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import MissingModel
from speechmill.models.inference import session
from speechmill.quality import _dnsmos_early, _dnsmos_network, _winograd
from speechmill.quality._winograd import Convolution

BINS, TICKS = 6, 4  # two bands of four bins; the first and the last tick are zeros


def planes_of(layer: np.ndarray) -> np.ndarray:
    """(channels, frames, bins) with zeros around, as `_winograd` lays it out."""
    channels, frames, bins = layer.shape
    padded = np.zeros((channels, frames + 4, _winograd.rows(bins)), np.float32)
    padded[:, 2:-2, 1 : 1 + bins] = layer
    ticks = padded.reshape(channels, -1, 2, padded.shape[2])
    return np.ascontiguousarray(ticks.transpose(2, 3, 1, 0)).reshape(2, padded.shape[2], -1)


def over(convolution: Convolution, layer: np.ndarray) -> np.ndarray:
    """(channels in, frames, bins) -> (channels out, frames, bins)."""
    channels, frames, bins = convolution.channels_out, *layer.shape[1:]
    result = np.zeros((2, 4 * _winograd.bands(bins), frames // 2, channels))
    for band, ticks, made in convolution.over(planes_of(layer)):
        place = slice(ticks.start - 1, ticks.stop - 1)
        result[:, 4 * band : 4 * band + 4, place] = made.reshape(2, 4, -1, channels)
    return result.transpose(3, 2, 0, 1).reshape(channels, frames, -1)[:, :, :bins]


def test_a_filter_of_ones_sums_each_neighbourhood():
    layer = np.ones((1, 2, BINS), np.float32)
    found = over(Convolution(np.ones((1, 1, 3, 3), np.float32), np.array([0.5], np.float32), 8), layer)
    assert found[0].round(5).tolist() == [[4.5, 6.5, 6.5, 6.5, 6.5, 4.5]] * 2


def test_one_tap_moves_the_layer():
    layer = np.arange(1, 1 + 4 * BINS, dtype=np.float32).reshape(1, 4, BINS)
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, 0, 2] = 1  # the frame before, the bin after
    found = over(Convolution(kernel, np.zeros(1, np.float32), 8), layer)
    assert found[0].round(4).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [2, 3, 4, 5, 6, 0],
        [8, 9, 10, 11, 12, 0],
        [14, 15, 16, 17, 18, 0],
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_channels_are_summed_whatever_is_computed_at_once(most):
    random = np.random.default_rng(0)
    layer = random.standard_normal((3, 10, 9)).astype(np.float32)
    kernel, bias = random.standard_normal((5, 3, 3, 3)).astype(np.float32), np.arange(5, dtype=np.float32)
    padded = np.pad(layer, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("itbyx,oiyx->otb", windows, kernel) + bias[:, None, None]
    np.testing.assert_allclose(over(Convolution(kernel, bias, most), layer), expected, atol=2e-5)


def test_ticks_are_parted_evenly():
    assert _winograd.parts(12, 4) == [slice(1, 4), slice(4, 7), slice(7, 11)]
    assert _winograd.parts(3, 4) == [slice(1, 2)]


def test_stretches_are_packed_in_order():
    assert list(_dnsmos_early._groups([4, 4, 4, 9, 3], 11)) == [[0, 1], [2], [3], [4]]


@pytest.fixture(scope="module")
def graph() -> bytes:
    try:
        return (models.path("dnsmos") / "sig_bak_ovr.onnx").read_bytes()
    except MissingModel as error:
        pytest.skip(str(error))


def test_the_first_layers_are_the_shipped_ones(graph):
    """Levels of any size, far rougher than sound; stretches packed together don't touch."""
    early = _dnsmos_early.Winograd(_dnsmos_network.weights(graph))
    random = np.random.default_rng(0)
    stretches = [random.uniform(-12, 4, (length, 161)).astype(np.float32) for length in (8, 208, 8, 2, 100)]
    shipped = session(_dnsmos_network.networks(graph)["dnsmos_early"])
    found = early.run(stretches)
    assert len(found) == 5
    for stretch, one in zip(stretches, found, strict=True):
        expected = shipped.run(None, {"mos_estimator_logpow/truediv:0": stretch[None]})[0][0]
        assert one.shape == (32, len(stretch) // 2, 80)
        np.testing.assert_allclose(one, expected, atol=1e-4)
