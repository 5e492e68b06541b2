# SPDX-License-Identifier: Apache-2.0
"""Networks on NVIDIA Triton servers: `triton://host:port[,host:port...][?option=value&...]`.

A session looks like onnxruntime's, so a backend doesn't know where its network runs. It asks one server at a time
and goes to the next when one is away, busy or too slow, with growing random waits between the rounds. Before it
believes a server it compares the SHA-256 of the weights that are served with that of its own, and again after each
failure: a server that was restarted may serve others. No batching here: the server joins requests of many clients.
The repository that such a server loads is written by `serving`.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import parse_qsl

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from speechmill.core.errors import ConfigError, ItemError, ServerUnavailable
from speechmill.models.kserve import Connection, connection, message

PREFIX = "triton://"
PORT = 8001  # Triton's own for gRPC
DIGEST = "speechmill_sha256"  # the parameter of a served model that says which weights it has
VERSION = "1"  # of each model in a repository of ours
DATATYPES = {"float32": "FP32", "int64": "INT64"}
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0  # between rounds: the bound of a random wait, doubled each time
MOST_BYTES = 8_000_000  # of one request; more gains nothing, and a server's memory is shared by many
CHECK_S = 10.0  # for an answer to a question about health
RESTING_S = 30.0  # with a fallback: so long the CPU answers before the servers are asked again

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?,\[\]]+)(:\d+)?")

Array = NDArray[Any]
Feeds = Mapping[str, Array]
_log = logging.getLogger(__name__)


class Local(Protocol):
    """A session in this process."""

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[Array]: ...


class Servers(Struct, frozen=True, forbid_unknown_fields=True):
    """What a device says."""

    hosts: Annotated[tuple[str, ...], Meta(min_length=1)]
    fallback: Literal["cpu"] | None = None  # where a network runs while no server answers; None: the run stops
    timeout_s: Annotated[float, Meta(gt=0)] = 30.0  # for one answer; a minute of audio takes a tenth of a second
    patience_s: Annotated[float, Meta(ge=0)] | None = None  # for all servers together; None: 60 s, a restart, or 5 s
    in_flight: Annotated[int, Meta(ge=1)] = 4  # requests that one process has under way with a server

    @property
    def patience(self) -> float:
        """Seconds for which no server needs to answer; who has a fallback needn't wait long."""
        return self.patience_s if self.patience_s is not None else 5.0 if self.fallback else 60.0


class Served(Struct, frozen=True):
    """What a server says about a network that it serves."""

    max_batch: int  # 0: the first axis is like any other
    axes: dict[str, int]  # input -> its axes without that of the batch
    outputs: tuple[str, ...]


class Away(Exception):
    """A server doesn't answer now; another may, or this one later."""


class TritonSession:
    """A network on a server. `local` opens the same network in this process, for a fallback."""

    def __init__(self, name: str, digest: str, device: str, local: Callable[[], Local]) -> None:
        self._name, self._digest = name, digest
        self._servers = parse(device)
        self._connections = [connection(host, self._servers.in_flight) for host in self._servers.hosts]
        self._at = os.getpid() % len(self._connections)  # so that the workers of a run share the servers
        self._known: dict[str, Served] = {}  # host -> what was checked since its last failure
        self._local = functools.cache(local)
        self._resting_until: float | None = None

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[Array]:
        """Return the outputs named, or all of them in the graph's order.

        Raises ServerUnavailable where no server answers in time or one serves other weights, and ItemError where a
        server can't work with this input.
        """
        rested = self._resting_until
        if rested is not None and time.monotonic() < rested:
            return self._local().run(outputs, feeds)
        try:
            answer = self._first_answer(outputs, feeds, 0.0 if rested is not None else self._servers.patience)
        except Away as error:
            return self._without(error).run(outputs, feeds)
        self._resting_until = None
        return answer

    def _first_answer(self, outputs: Sequence[str] | None, feeds: Feeds, patience_s: float) -> list[Array]:
        """Ask server after server, round after round. Raises Away, with what each said last."""
        failures: dict[str, str] = {}
        for _round in rounds(patience_s):
            for _ in self._connections:
                server = self._connections[self._at]
                try:
                    return self._ask(server, outputs, feeds)
                except Away as error:
                    failures[server.host] = str(error)
                    self._known.pop(server.host, None)
                    self._at = (self._at + 1) % len(self._connections)
        raise Away("; ".join(f"{host}: {said}" for host, said in failures.items()))

    def _without(self, error: Away) -> Local:
        """Return the fallback. Raises ServerUnavailable where there is none."""
        if self._servers.fallback is None:
            raise ServerUnavailable(
                f"no server answered for {self._name} ({error}). Start one with: speechmill serve run REPOSITORY, "
                f"or go on without: device: {PREFIX}{','.join(self._servers.hosts)}?fallback=cpu. What is done is kept"
            ) from error
        if self._resting_until is None:
            _log.warning("no server answered for %s (%s): it runs on this CPU meanwhile", self._name, error)
        self._resting_until = time.monotonic() + RESTING_S
        return self._local()

    def _ask(self, server: Connection, outputs: Sequence[str] | None, feeds: Feeds) -> list[Array]:
        if server.host not in self._known:
            self._known[server.host] = examine(server, self._name, self._digest)
        served = self._known[server.host]
        wanted = tuple(outputs or served.outputs)
        added = served.max_batch > 0 and all(feeds[name].ndim == axes for name, axes in served.axes.items())
        given = {name: array[None] for name, array in feeds.items()} if added else feeds
        parts = [given] if added or not served.max_batch else list(_parts(given, served.max_batch))
        answers = self._infer(server, [_request(self._name, part, wanted) for part in parts])
        arrays = [_arrays(answer, wanted) for answer in answers]
        if added:
            return [array[0] for array in arrays[0]]
        return arrays[0] if len(arrays) == 1 else [np.concatenate(each) for each in zip(*arrays, strict=True)]

    def _infer(self, server: Connection, requests: Sequence[Any]) -> list[Any]:
        import grpc

        futures: list[Any] = []
        try:
            for request in requests:
                futures.append(server.begin("ModelInfer", request, self._servers.timeout_s))
            return [future.result() for future in futures]
        except grpc.RpcError as error:
            for future in futures:
                future.cancel()
            raise _told(error, server.host, self._name) from error


def parse(device: str) -> Servers:
    """Read a device. Raises ConfigError.

    >>> parse("triton://gpu1,gpu2:9001?fallback=cpu").hosts
    ('gpu1:8001', 'gpu2:9001')
    """
    written, _, query = device.removeprefix(PREFIX).partition("?")
    if "@" in written:  # not shown: it may be a password
        raise ConfigError(f"device {PREFIX}: a server takes no user or password; write {PREFIX}localhost:{PORT}")
    hosts = written.rstrip("/").split(",")
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ConfigError(f"device {device}: {host!r} is no host:port; write {PREFIX}localhost:{PORT}")
    ported = [host if re.search(r":\d+$", host) else f"{host}:{PORT}" for host in hosts]
    try:
        options = dict(parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True))
        return msgspec.convert({**options, "hosts": ported}, Servers, strict=False)
    except ValueError as error:
        known = ", ".join(name for name in Servers.__struct_fields__ if name != "hosts")
        raise ConfigError(f"device {device}: {error}; the options are {known}") from error


def digest_of(model: Path | bytes) -> str:
    """Hex SHA-256 of a network's file or bytes; what server and client compare."""
    return hashlib.sha256(model.read_bytes() if isinstance(model, Path) else model).hexdigest()


def rounds(patience_s: float) -> Iterator[int]:
    """Count rounds, waiting in between, until patience is at an end; there is always one.

    The wait is random below a bound that doubles, so that clients which failed together don't come back together.
    """
    end, bound, done = time.monotonic() + patience_s, FIRST_WAIT_S, 0
    while True:
        yield done
        done += 1
        wait = random.uniform(0, bound)
        if time.monotonic() + wait > end:
            return
        time.sleep(wait)
        bound = min(2 * bound, LONGEST_WAIT_S)


def examine(server: Connection, name: str, digest: str) -> Served:
    """Return what a server says about a network, if it is ready and has our weights.

    Raises Away where it isn't ready, and ServerUnavailable where it doesn't serve this network or has other weights.
    """
    import grpc

    try:
        if not server.ask("ServerReady", message("ServerReadyRequest")(), CHECK_S).ready:
            raise Away("not ready; it may be loading its models")
        asked = {"name": name, "version": VERSION}
        config = server.ask("ModelConfig", message("ModelConfigRequest")(**asked), CHECK_S).config
        if not server.ask("ModelReady", message("ModelReadyRequest")(**asked), CHECK_S).ready:
            raise Away(f"{name} is not ready")
    except grpc.RpcError as error:
        raise _told(error, server.host, name) from error
    served = {parameter.key: parameter.value.string_value for parameter in config.parameters}.get(DIGEST, "unknown")
    if served != digest:
        raise ServerUnavailable(
            f"{server.host} serves {name} with other weights than ours (SHA-256 {served[:12]}, ours {digest[:12]}). "
            "Write its repository with this version: speechmill serve export REPOSITORY, and start it again"
        )
    axes = {one.name: len(one.dims) for one in config.input}
    return Served(config.max_batch_size, axes, tuple(one.name for one in config.output))


def _told(error: Any, host: str, name: str) -> Exception:
    """Turn gRPC's error into ours.

    Only an invalid argument is the input's fault. The rest another try or server may mend: UNAVAILABLE is no connection
    or a full queue, INTERNAL a model whose process died.
    """
    code, details = error.code().name, error.details()
    if code == "INVALID_ARGUMENT":
        return ItemError("inference-failed", f"{name} on {host}: {details}", permanent=False)
    if code == "NOT_FOUND":
        return ServerUnavailable(
            f"{host} doesn't serve {name}: {details}. Write its repository with: speechmill serve export REPOSITORY"
        )
    return Away(f"{details} ({code})")


def _parts(feeds: Feeds, most: int) -> Iterator[Feeds]:
    """Cut a batch into what a server takes at once; an empty one stays one part."""
    count = len(next(iter(feeds.values())))
    row_bytes = sum(array.nbytes for array in feeds.values()) / max(count, 1)
    most = max(1, min(most, int(MOST_BYTES / max(row_bytes, 1.0))))
    for first in range(0, max(count, 1), most):
        yield {name: array[first : first + most] for name, array in feeds.items()}


def _request(name: str, feeds: Feeds, outputs: Sequence[str]) -> Any:
    return message("ModelInferRequest")(
        model_name=name,
        model_version=VERSION,
        inputs=[
            message("Tensor")(name=one, datatype=DATATYPES[array.dtype.name], shape=array.shape)
            for one, array in feeds.items()
        ],
        outputs=[message("Wanted")(name=one) for one in outputs],
        raw_input_contents=[np.ascontiguousarray(array).tobytes() for array in feeds.values()],
    )


def _arrays(answer: Any, outputs: Sequence[str]) -> list[Array]:
    """Return the outputs in the order asked for, as arrays that may be written to."""
    types = {written: name for name, written in DATATYPES.items()}
    arrays = {
        tensor.name: np.frombuffer(raw, types[tensor.datatype]).reshape(tensor.shape).copy()
        for tensor, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }
    return [arrays[name] for name in outputs]
