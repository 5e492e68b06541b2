# SPDX-License-Identifier: Apache-2.0
"""The calls of an inference server that we make, and one connection to it per process.

Messages are described here and built by protobuf at run time: the official client, tritonclient, would pin protobuf
and three more packages to old versions for these five calls. Field numbers are those of KServe's v2 protocol and of
Triton's model_config.proto: https://github.com/triton-inference-server/common/tree/main/protobuf. Fields that
nobody reads here are left out; protobuf skips them. No retries: see `triton`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from speechmill.core.errors import MissingDependency

SERVICE = "inference.GRPCInferenceService"
CALLS = ("ServerReady", "ModelReady", "ModelConfig", "ModelStatistics", "ModelInfer")

# message -> its fields: name, number, type. A star: repeated. A capital: a message of this table.
_MESSAGES = {
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", 1, "bool"),),
    "ModelReadyRequest": (("name", 1, "string"), ("version", 2, "string")),
    "ModelReadyResponse": (("ready", 1, "bool"),),
    "ModelConfigRequest": (("name", 1, "string"), ("version", 2, "string")),
    "ModelConfigResponse": (("config", 1, "Config"),),
    "ModelStatisticsRequest": (("name", 1, "string"), ("version", 2, "string")),
    "ModelStatisticsResponse": (("model_stats", 1, "*Statistics"),),
    "Statistics": (("inference_count", 4, "uint64"), ("execution_count", 5, "uint64")),
    "Config": (
        ("max_batch_size", 4, "int32"),
        ("input", 5, "*Input"),
        ("output", 6, "*Output"),
        ("parameters", 14, "*Parameter"),  # a map is a repeated pair
    ),
    "Input": (("name", 1, "string"), ("dims", 4, "*int64")),
    "Output": (("name", 1, "string"), ("dims", 3, "*int64")),
    "Parameter": (("key", 1, "string"), ("value", 2, "Value")),
    "Value": (("string_value", 1, "string"),),
    "ModelInferRequest": (
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("inputs", 5, "*Tensor"),
        ("outputs", 6, "*Wanted"),
        ("raw_input_contents", 7, "*bytes"),
    ),
    "ModelInferResponse": (("outputs", 5, "*Tensor"), ("raw_output_contents", 6, "*bytes")),
    "Tensor": (("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "*int64")),
    "Wanted": (("name", 1, "string"),),
}
_PACKAGE = "speechmill_kserve"  # ours alone: the official messages may be loaded in the same process
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # 4 MB by default; a batch of spectra is more
    ("grpc.max_reconnect_backoff_ms", 1000),  # a server that was restarted is found again within a second
    ("grpc.enable_retries", 0),  # `triton` retries, and counts
    ("grpc.enable_http_proxy", 0),  # a server beside us is not behind the proxy to the web
)


class Connection:
    """One server, as one process knows it; threads may share it.

    in_flight: how many requests may be under way at once; one more waits here, not in the server's queue.
    """

    def __init__(self, host: str, in_flight: int) -> None:
        try:
            import grpc
        except ImportError as error:
            raise MissingDependency(
                f"device triton://{host} needs grpcio and protobuf. Install them with: pip install 'speechmill[triton]'"
            ) from error
        self.host = host
        self._room = threading.BoundedSemaphore(in_flight)
        channel = grpc.insecure_channel(host, options=_OPTIONS)
        self._calls = {
            name: channel.unary_unary(
                f"/{SERVICE}/{name}",
                request_serializer=message(f"{name}Request").SerializeToString,
                response_deserializer=message(f"{name}Response").FromString,
            )
            for name in CALLS
        }

    def ask(self, call: str, request: Any, timeout_s: float) -> Any:
        """Return the answer to one call. Raises grpc.RpcError."""
        return self._calls[call](request, timeout=timeout_s)

    def begin(self, call: str, request: Any, timeout_s: float) -> Any:
        """Start a call as soon as there is room; returns its grpc.Future."""
        self._room.acquire()
        try:
            future = self._calls[call].future(request, timeout=timeout_s)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future


@functools.cache
def connection(host: str, in_flight: int) -> Connection:
    """Return this process's connection to a server; workers are spawned, so none is inherited."""
    return Connection(host, in_flight)


def message(name: str) -> Any:
    """Return the class of a message."""
    return _classes()[name]


@functools.cache
def _classes() -> Mapping[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, number, written in fields:
            described.field.add(name=field, number=number, **_typed(written))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }
    return MappingProxyType(classes)


def _typed(written: str) -> dict[str, Any]:
    """Label and type of a field, as descriptor.proto wants them."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    kind = written.removeprefix("*")
    label = "LABEL_REPEATED" if written != kind else "LABEL_OPTIONAL"
    typed = {"label": getattr(FieldDescriptorProto, label)}
    if kind in _MESSAGES:
        return {**typed, "type": FieldDescriptorProto.TYPE_MESSAGE, "type_name": f".{_PACKAGE}.{kind}"}
    return {**typed, "type": getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")}
