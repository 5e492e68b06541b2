# SPDX-License-Identifier: Apache-2.0
"""The client of a Triton server, against a small server that fails as it is told to."""

from __future__ import annotations

import hashlib
from concurrent import futures

import grpc
import numpy as np
import pytest
from tests.services.ports import free_port

from speechmill.core.errors import ConfigError, ItemError, ServerUnavailable
from speechmill.models import kserve, triton
from speechmill.models.inference import session
from speechmill.models.kserve import message
from speechmill.models.onnx_graph import node, written

DOUBLE = written([node("Add", ["x", "x"], ["y"])], {}, {"x": ("N", 2)}, {"y": ("N", 2)})
DIGEST = hashlib.sha256(DOUBLE).hexdigest()
X = np.array([[1, 2], [3, 4]], np.float32)
UNAVAILABLE, DEADLINE = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED


class Fake:
    """Serves `double`: y = 2 x. `failures`: what it answers to the next requests instead."""

    def __init__(self, digest=DIGEST, max_batch=8, dims=(2,), ready=True):
        self.failures, self.batches, self.ready = [], [], ready
        self._config = message("ModelConfigResponse")(
            config={
                "max_batch_size": max_batch,
                "input": [{"name": "x", "dims": dims}],
                "output": [{"name": "y", "dims": dims}],
                "parameters": [{"key": "speechmill_sha256", "value": {"string_value": digest}}],
            }
        )
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(kserve.SERVICE, self._handlers())])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self):
        self._server.stop(None).wait()

    def _handlers(self):
        calls = {
            "ServerReady": lambda request, context: message("ServerReadyResponse")(ready=self.ready),
            "ModelReady": lambda request, context: message("ModelReadyResponse")(ready=True),
            "ModelConfig": self._configured,
            "ModelInfer": self._infer,
        }
        return {
            name: grpc.unary_unary_rpc_method_handler(
                call,
                request_deserializer=message(f"{name}Request").FromString,
                response_serializer=message(f"{name}Response").SerializeToString,
            )
            for name, call in calls.items()
        }

    def _configured(self, request, context):
        if request.name != "double":
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model {request.name}")
        return self._config

    def _infer(self, request, context):
        if self.failures:
            context.abort(self.failures.pop(0), "as told")
        self.batches.append(tuple(request.inputs[0].shape))
        doubled = 2 * np.frombuffer(request.raw_input_contents[0], np.float32)
        tensor = {"name": "y", "datatype": "FP32", "shape": request.inputs[0].shape}
        return message("ModelInferResponse")(outputs=[tensor], raw_output_contents=[doubled.tobytes()])


@pytest.fixture
def serve():
    """Start fakes; all end with the test."""
    started = []

    def start(**options):
        started.append(Fake(**options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Wait for milliseconds, and begin with the first address."""
    monkeypatch.setattr(triton, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(triton.os, "getpid", lambda: 0)


def opened(*ports, options="", name="double"):
    device = "triton://" + ",".join(f"127.0.0.1:{port}" for port in ports) + options
    return session(DOUBLE, name=name, device=device)


def test_a_server_answers_like_a_session(serve):
    (y,) = opened(serve().port).run(None, {"x": X})
    assert y.tolist() == [[2, 4], [6, 8]]
    y += 1  # backends may write into what they get
    assert session(DOUBLE).run(None, {"x": X})[0].tolist() == [[2, 4], [6, 8]]


def test_a_batch_that_is_too_large_goes_in_parts(serve):
    server = serve(max_batch=2)
    (y,) = opened(server.port).run(["y"], {"x": np.arange(10, dtype=np.float32).reshape(5, 2)})
    assert y.ravel().tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert sorted(server.batches) == [(1, 2), (2, 2), (2, 2)]


def test_many_megabytes_go_in_parts(serve, monkeypatch):
    monkeypatch.setattr(triton, "MOST_BYTES", 16)
    server = serve()
    opened(server.port).run(None, {"x": np.zeros((5, 2), np.float32)})
    assert sorted(server.batches) == [(1, 2), (2, 2), (2, 2)]


def test_a_recording_is_one_row_where_the_server_batches_recordings(serve):
    server = serve(dims=(-1, 2))
    (y,) = opened(server.port).run(None, {"x": X})
    assert (server.batches, y.tolist()) == ([(1, 2, 2)], [[2, 4], [6, 8]])


@pytest.mark.parametrize("code", [UNAVAILABLE, DEADLINE, grpc.StatusCode.INTERNAL])
def test_a_busy_or_broken_server_is_asked_again(serve, code):
    server = serve()
    server.failures = [code, code]
    assert opened(server.port).run(None, {"x": X})[0].tolist() == [[2, 4], [6, 8]]
    assert server.failures == []


def test_a_dead_server_gives_way_to_the_next_which_is_kept(serve):
    alive = serve()
    network = opened(free_port(), alive.port)
    for _ in range(3):
        network.run(None, {"x": X})
    assert len(alive.batches) == 3


def test_no_server_stops_the_run_and_says_what_to_do():
    port = free_port()
    with pytest.raises(ServerUnavailable, match=rf"no server answered for double .*127\.0\.0\.1:{port}.*serve run"):
        opened(port, options="?patience_s=0.05").run(None, {"x": X})


def test_a_fallback_runs_in_this_process_and_says_so(caplog):
    network = opened(free_port(), options="?fallback=cpu&patience_s=0")
    assert [network.run(None, {"x": X})[0].tolist() for _ in range(2)] == [[[2, 4], [6, 8]]] * 2
    assert [record.message[:30] for record in caplog.records] == ["no server answered for double "]


def test_after_a_rest_the_server_is_asked_again(serve, monkeypatch):
    server = serve()
    network = opened(server.port, options="?fallback=cpu&patience_s=0")
    server.failures = [UNAVAILABLE]
    network.run(None, {"x": X})
    assert server.batches == []
    monkeypatch.setattr(triton.time, "monotonic", lambda: 1e9)
    network.run(None, {"x": X})
    network.run(None, {"x": X})
    assert len(server.batches) == 2


def test_other_weights_are_refused_even_with_a_fallback(serve):
    server = serve(digest="ab" * 32)
    with pytest.raises(ServerUnavailable, match=r"other weights than ours \(SHA-256 abababababab, ours .*serve export"):
        opened(server.port, options="?fallback=cpu").run(None, {"x": X})
    assert server.batches == []


def test_weights_are_compared_again_after_a_failure(serve):
    server = serve()
    network = opened(server.port)
    network.run(None, {"x": X})
    server._config.config.parameters[0].value.string_value = "cd" * 32
    network.run(None, {"x": X})
    server.failures = [UNAVAILABLE]
    with pytest.raises(ServerUnavailable, match="cdcdcdcdcdcd"):
        network.run(None, {"x": X})


def test_a_network_that_is_not_served_is_named(serve):
    with pytest.raises(ServerUnavailable, match="doesn't serve triple: unknown model triple"):
        opened(serve().port, name="triple").run(None, {"x": X})


def test_a_server_that_is_loading_is_waited_for_and_named(serve):
    server = serve(ready=False)
    with pytest.raises(ServerUnavailable, match="not ready"):
        opened(server.port, options="?patience_s=0.01").run(None, {"x": X})
    assert server.batches == []


def test_an_input_that_fails_is_the_recordings_failure(serve):
    server = serve()
    server.failures = [grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(ItemError, match=r"inference-failed: double on .*as told") as raised:
        opened(server.port).run(None, {"x": X})
    assert not raised.value.permanent


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("triton://", "'' is no host:port; write triton://localhost:8001"),
        ("triton://a b", "'a b' is no host:port"),
        ("triton://a:8001?fallback=gpu", "fallback"),
        ("triton://a?retries=3", "retries.*the options are fallback, timeout_s, patience_s, in_flight"),
        ("triton://a?in_flight=0", "in_flight"),
        ("triton://a?timeout_s=soon", "timeout_s"),
    ],
)
def test_a_device_that_cannot_be_read_is_named(device, message):
    with pytest.raises(ConfigError, match=message):
        triton.parse(device)


def test_a_password_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match="takes no user or password") as caught:
        triton.parse("triton://me:secret@a:8001")
    assert "secret" not in str(caught.value)


def test_a_device_may_name_several_servers_and_options():
    servers = triton.parse("triton://a,b:9001,[::1]:7?fallback=cpu&timeout_s=2.5&in_flight=2")
    assert servers.hosts == ("a:8001", "b:9001", "[::1]:7")
    assert (servers.fallback, servers.timeout_s, servers.in_flight, servers.patience) == ("cpu", 2.5, 2, 5.0)


def test_waits_are_random_below_a_bound_that_doubles_up_to_a_limit(monkeypatch):
    slept, now = [], [0.0]
    monkeypatch.setattr(triton, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(triton.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(triton.time, "sleep", slept.append)
    monkeypatch.setattr(triton.random, "uniform", lambda low, high: high)
    rounds = triton.rounds(10.0)
    for _ in range(9):
        next(rounds)
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    now[0] = 9.0
    assert list(rounds) == []
