# SPDX-License-Identifier: Apache-2.0
"""Measurements as they arrive: UDP, OTLP over HTTP, a page for Prometheus; and what nobody takes."""

import http.server
import importlib.util
import logging
import socket
import threading
import urllib.request

import pytest
from tests.services.ports import free_port

from speechmill.core.errors import ConfigError, MissingDependency
from speechmill.telemetry import metrics, otel, statsd
from speechmill.telemetry.sinks import sinks

LABELS = {"stage": "quality.snr", "shard": "00017"}


def measure(sink):
    """Send what one recording that failed is measured by."""
    sink.send(metrics.DURATION, 0.25, LABELS)
    sink.send(metrics.RECORDINGS, 1, LABELS)
    sink.send(metrics.AUDIO, 12.5, LABELS)
    sink.send(metrics.FAILURES, 1, {**LABELS, "reason": "timeout"})
    sink.send(metrics.WORKERS, 2, {"shard": "00017"})


@pytest.fixture
def udp():
    """A socket that hears StatsD."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        yield server


def heard(udp, lines):
    """Receive so many lines."""
    found = []
    while len(found) < lines:
        found += udp.recv(65_535).decode().splitlines()
    return found


def test_statsd_gets_each_measurement_with_tags(udp):
    port = udp.getsockname()[1]
    [sink] = sinks({"SPEECHMILL_STATSD": f"127.0.0.1:{port}", "SPEECHMILL_STATSD_TAGS": "influxdb"})
    measure(sink)
    assert sink.close() is None
    assert heard(udp, 5) == [
        "speechmill.stage.duration,stage=quality.snr,shard=00017:250.000000|ms",
        "speechmill.stage.recordings,stage=quality.snr,shard=00017:1|c",
        "speechmill.stage.audio,stage=quality.snr,shard=00017:12.5|c",
        "speechmill.stage.failures,stage=quality.snr,shard=00017,reason=timeout:1|c",
        "speechmill.workers,shard=00017:2|g",
    ]


def test_statsd_without_tags_has_labels_in_names(udp):
    [sink] = sinks({"SPEECHMILL_STATSD": f"127.0.0.1:{udp.getsockname()[1]}"})
    sink.send(metrics.FAILURES, 1, {**LABELS, "reason": "timeout"})
    sink.close()
    assert heard(udp, 1) == ["speechmill.stage.failures.quality.snr.00017.timeout:1|c"]


def test_a_server_whose_name_is_unknown_loses_measurements_and_says_so(monkeypatch):
    def unknown(*_arguments):  # at once: some networks take long to say so
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(statsd, "CLOSE_S", 60.0)
    sink = statsd.StatsdSink("no-such-host.invalid", 8125)
    measure(sink)
    assert sink.close().startswith("5 measurements were not sent to StatsD at no-such-host.invalid:8125: ")


def test_the_queue_has_an_end(monkeypatch):
    asked = threading.Event()

    def waits_for_ever(*_arguments):
        asked.wait(30)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", waits_for_ever)
    monkeypatch.setattr(statsd, "CLOSE_S", 0.1)
    sink = statsd.StatsdSink("slow.invalid", 8125)
    for _ in range(statsd.MOST_WAITING + 500):
        sink.send(metrics.RECORDINGS, 1, LABELS)
    problem = sink.close()
    asked.set()
    sink._thread.join(10)
    assert int(problem.split()[0]) >= statsd.MOST_WAITING


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    def do_POST(self):
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, ExportMetricsServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_collector_gets_metrics_by_otlp(collector, monkeypatch):
    address = f"http://127.0.0.1:{collector.server_address[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)  # the SDK reads the process's own
    [sink] = sinks({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    measure(sink)
    assert sink.close() is None
    path, request = collector.requests[-1]
    [resource] = request.resource_metrics
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    found = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert path == "/v1/metrics"
    assert attributes["service.name"] == "speechmill"
    assert len(attributes["service.instance.id"]) == 32
    [duration] = found["speechmill.stage.duration"].histogram.data_points
    assert (duration.count, duration.sum, list(duration.explicit_bounds)) == (1, 0.25, list(metrics.BUCKETS_S))
    assert {one.key: one.value.string_value for one in duration.attributes} == LABELS
    [audio] = found["speechmill.stage.audio"].sum.data_points
    assert (audio.as_double, found["speechmill.stage.audio"].unit) == (12.5, "s")
    [failures] = found["speechmill.stage.failures"].sum.data_points
    assert {one.key: one.value.string_value for one in failures.attributes} == {**LABELS, "reason": "timeout"}
    [workers] = found["speechmill.workers"].gauge.data_points
    assert workers.as_int == 2


def test_prometheus_reads_a_page_with_the_tables_names():
    address = f"127.0.0.1:{free_port()}"
    [sink] = sinks({"SPEECHMILL_PROMETHEUS": address})
    try:
        measure(sink)
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
            page = answer.read().decode()
    finally:
        assert sink.close() is None
    lines = page.splitlines()
    assert 'speechmill_stage_duration_seconds_bucket{le="0.3",shard="00017",stage="quality.snr"} 1.0' in lines
    assert 'speechmill_stage_audio_seconds_total{shard="00017",stage="quality.snr"} 12.5' in lines
    assert 'speechmill_stage_failures_total{reason="timeout",shard="00017",stage="quality.snr"} 1.0' in lines
    assert 'speechmill_workers{shard="00017"} 2.0' in lines


def test_a_port_that_is_taken_costs_only_the_page():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [sink] = sinks({"SPEECHMILL_PROMETHEUS": f"127.0.0.1:{port}"})
        measure(sink)
        assert f"no page for Prometheus at 127.0.0.1:{port}" in sink.close()


def test_a_collector_that_never_answers_is_not_waited_for(monkeypatch, capfd):
    monkeypatch.setattr(otel, "EVERY_MS", 10.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        [sink] = sinks({"OTEL_EXPORTER_OTLP_ENDPOINT": "as above"})
        measure(sink)
        connection, _address = silent.accept()  # the exporter waits for an answer from here on
        measure(sink)
        problem = sink.close()
        connection.close()
    assert problem.startswith("metrics were lost: ")
    assert capfd.readouterr() == ("", "")


def test_a_collector_that_is_not_there_costs_metrics_alone(monkeypatch, capfd):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    [sink] = sinks({"OTEL_EXPORTER_OTLP_ENDPOINT": "as above"})
    measure(sink)
    assert sink.close().startswith("metrics were lost: ")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("opentelemetry").propagate


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_where_nothing_asks_for_it(environment):
    assert sinks(environment) == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SPEECHMILL_STATSD": "http://collector"}, "write it as HOST:PORT, for example 127.0.0.1:8125"),
        ({"SPEECHMILL_STATSD": "a:8125", "SPEECHMILL_STATSD_TAGS": "dots"}, "influxdb"),
        ({"SPEECHMILL_PROMETHEUS": "127.0.0.1:99999"}, "127.0.0.1:9464"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_what_is_misspelt_is_refused_before_the_run(environment, message):
    with pytest.raises(ConfigError, match=message):
        sinks(environment)


@pytest.mark.parametrize("variable", ["SPEECHMILL_STATSD", "SPEECHMILL_PROMETHEUS", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_without_the_extra_one_error_says_what_to_install(variable, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependency, match=rf"{variable} asks for metrics.*pip install 'speechmill\[telemetry\]'"):
        sinks({variable: "127.0.0.1:8125"})
