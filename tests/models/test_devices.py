# SPDX-License-Identifier: Apache-2.0
"""Whether onnxruntime finds a GPU; what `auto` makes of it is in tests/core/test_devices.py."""

from __future__ import annotations

import types

import onnxruntime
import pytest

from speechmill.models import devices


@pytest.mark.parametrize(("kinds", "found"), [(["CPU", "GPU"], True), (["CPU"], False)])
def test_a_build_for_cuda_needs_a_gpu_too(kinds, found, monkeypatch):
    types_of = onnxruntime.OrtHardwareDeviceType
    there = [types.SimpleNamespace(device=types.SimpleNamespace(type=getattr(types_of, kind))) for kind in kinds]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: there)
    assert devices.onnxruntime_cuda.__wrapped__() is found
