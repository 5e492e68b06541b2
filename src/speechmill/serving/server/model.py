# SPDX-License-Identifier: Apache-2.0
"""What Triton's python backend loads: requests in, the network of `network.py` over all of them at once, answers out.

Runs in the server's Python, which has numpy and onnxruntime and no speechmill; it lies in the repository beside
the weights. Weights other than those the repository was written with are refused.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

FILE = "sha256 "  # parameters of that beginning name a file of weights


class TritonPythonModel:
    """One instance of a served network."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights, and the network that lies beside this file."""
        from network import Network  # type: ignore[import-not-found]  # joined.py or recurrent.py of this folder

        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        for name, parameter in config["parameters"].items():
            if name.startswith(FILE):
                _check(folder / name.removeprefix(FILE), parameter["string_value"])
        self._inputs = [one["name"] for one in config["input"]]
        self._outputs = [one["name"] for one in config["output"]]
        self._network = Network(folder, functools.partial(_open_session, providers=_providers(args)))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests that the server has put together, in their order."""
        import triton_python_backend_utils as triton

        feeds = [
            {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
            for request in requests
        ]
        try:
            return [self._answer(outputs) for outputs in self._network.run(feeds)]
        except Exception as error:
            logging.getLogger(__name__).warning("%d requests together: %s; each alone", len(requests), error)
            return [self._alone(feed) for feed in feeds]  # one client's fault must not become another's

    def _alone(self, feed: dict[str, Any]) -> Any:
        import triton_python_backend_utils as triton

        try:
            return self._answer(self._network.run([feed])[0])
        except Exception as error:
            # To the client another code means that the server is at fault.
            return triton.InferenceResponse(error=triton.TritonError(str(error), triton.TritonError.INVALID_ARG))

    def _answer(self, outputs: dict[str, Any]) -> Any:
        import triton_python_backend_utils as triton

        return triton.InferenceResponse([triton.Tensor(name, outputs[name]) for name in self._outputs])


def _check(path: Path, digest: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise ValueError(f"{path}: SHA-256 {found[:12]}, not {digest[:12]} as the repository was written with")


def _providers(args: dict[str, str]) -> list[Any]:
    """Return onnxruntime's providers for the kind of instance that config.pbtxt asks for."""
    if args["model_instance_kind"] != "GPU":
        return ["CPUExecutionProvider"]
    return [("CUDAExecutionProvider", {"device_id": int(args["model_instance_device_id"])}), "CPUExecutionProvider"]


def _open_session(path: Path, *, providers: list[Any]) -> Any:
    """Open a network with one thread: the server runs as many instances as there are cores for it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=providers)
