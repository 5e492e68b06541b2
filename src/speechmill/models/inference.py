# SPDX-License-Identifier: Apache-2.0
"""Networks as every backend runs them: onnxruntime with one thread, on the CPU or a GPU, or a Triton server.

One thread because the pipeline runs one worker per core, and because results then don't depend on how
many cores there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from speechmill.core import devices
from speechmill.core.errors import FormatError, Unsupported

ERRORS_ONLY = 3


class Session(Protocol):
    """A network that can be run: onnxruntime's InferenceSession, or a client of a server that has it."""

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs named, or all of them in the graph's order."""
        ...


def session(model: Path | bytes, *, name: str = "", device: str = devices.CPU, bounded: bool = False) -> Session:
    """Open a network from a file or from its bytes. Raises FormatError where it is no model.

    name: by which a server knows it. device: cpu, cuda, cuda:N or triton://host:port; a server is asked by the
    first run, and must have the very bytes that would be run here.
    bounded: inputs have an upper size, so that an arena holds no more than the largest run needs. Without an arena
    every run asks malloc; glibc's memalign reuses freed blocks badly, and hundreds of runs took gigabytes.
    """
    if devices.kind(device) == devices.TRITON:
        from speechmill.models.triton import TritonSession, digest_of

        return TritonSession(name, digest_of(model), device, lambda: session(model, name=name, bounded=bounded))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = bounded  # an arena keeps the largest input's memory for the worker's life
    try:
        opened: Session = onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=_providers(device)
        )
    except Exception as error:  # onnxruntime's own errors share no other base
        raise FormatError(f"{model if isinstance(model, Path) else name or 'ONNX graph'}: {error}") from error
    return opened


def _providers(device: str) -> list[Any]:
    """Return onnxruntime's providers for a device. Raises Unsupported where its build has no CUDA."""
    import onnxruntime

    match devices.kind(device):
        case devices.CPU:
            return ["CPUExecutionProvider"]
        case "cuda" if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            number = int(device.partition(":")[2] or 0)
            return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
        case "cuda":
            raise Unsupported(
                f"device {device}: this onnxruntime has no CUDA. "
                "pip uninstall onnxruntime; pip install onnxruntime-gpu; or say device: cpu"
            )
    raise Unsupported(f"device {device}: onnxruntime can't use it")
