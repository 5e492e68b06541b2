# SPDX-License-Identifier: Apache-2.0
"""Which device `auto` is on this machine: a GPU that a backend's runtime finds, or else the CPU."""

from __future__ import annotations

import functools
from types import ModuleType

from speechmill.core.devices import AUTO, CPU, kinds

CUDA = "cuda"


def resolve(device: str, module: ModuleType) -> str:
    """Return the device that a backend is to use in this process; asked anew by each worker."""
    if device != AUTO:
        return device
    if CUDA not in kinds(module):
        return CPU
    available = getattr(module, "cuda_available", onnxruntime_cuda)
    return CUDA if available() else CPU


@functools.cache
def onnxruntime_cuda() -> bool:
    """Tell whether onnxruntime was built for CUDA and finds a GPU."""
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return False
    return any(device.device.type == onnxruntime.OrtHardwareDeviceType.GPU for device in onnxruntime.get_ep_devices())
