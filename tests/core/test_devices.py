# SPDX-License-Identifier: Apache-2.0
"""Which device a backend gets."""

from __future__ import annotations

import types

import pytest

from speechmill.core.devices import chosen, kind
from speechmill.core.errors import ConfigError, Unsupported
from speechmill.models.devices import resolve

ON_CPU = types.ModuleType("vad.energy")
ANYWHERE = types.ModuleType("vad.silero")
ANYWHERE.DEVICES = ("cpu", "cuda", "triton")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "triton:", "triton://", "", "CPU", 1])
def test_what_is_no_device_is_an_error(device):
    with pytest.raises(ConfigError, match="there are auto, cpu, cuda"):
        kind(device)


def test_a_backend_follows_the_corpus_where_it_can():
    assert chosen(ANYWHERE, None, "cuda:1") == "cuda:1"
    assert chosen(ON_CPU, None, "cuda:1") == "cpu"
    assert chosen(ON_CPU, None, "auto") == "auto"


def test_what_is_said_of_a_backend_stands_over_the_corpus():
    assert chosen(ANYWHERE, "triton://a:8001", "cuda") == "triton://a:8001"


def test_a_device_that_a_backend_cannot_use_is_refused_by_name():
    with pytest.raises(Unsupported, match=r"energy can't use device cuda; it can use: cpu, auto"):
        chosen(ON_CPU, "cuda", "auto")


def test_auto_is_a_gpu_where_backend_and_runtime_have_one():
    with_gpu = types.ModuleType("asr.big")
    with_gpu.DEVICES, with_gpu.cuda_available = ("cpu", "cuda"), lambda: True
    assert resolve("auto", with_gpu) == "cuda"
    with_gpu.cuda_available = lambda: False
    assert resolve("auto", with_gpu) == "cpu"
    assert resolve("auto", ON_CPU) == "cpu"
    assert resolve("cuda:1", with_gpu) == "cuda:1"
