# SPDX-License-Identifier: Apache-2.0
"""ONNX sessions as every backend wants them: on the CPU, one thread, quiet.

One thread because the pipeline runs one worker per core, and because results then don't depend on how
many cores there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechmill.core.errors import FormatError

ERRORS_ONLY = 3


def session(model: Path | bytes, *, bounded: bool = False) -> Any:
    """An onnxruntime.InferenceSession of a file or of its bytes. Raises FormatError where it is no model.

    bounded: inputs have an upper size, so that an arena holds no more than the largest run needs. Without an arena
    every run asks malloc; glibc's memalign reuses freed blocks badly, and hundreds of runs took gigabytes.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = bounded  # an arena keeps the largest input's memory for the worker's life
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no other base
        raise FormatError(f"{model if isinstance(model, Path) else 'ONNX graph'}: {error}") from error
