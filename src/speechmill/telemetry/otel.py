# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry: metrics by OTLP/HTTP to a collector, or on a page that Prometheus reads, or both.

The SDK's own thread sends; what a collector doesn't take is lost. Its messages are not printed over the run's: the
last one is told at the end. Nothing is set for the whole process: another user of the SDK is not touched.
"""

from __future__ import annotations

import importlib.metadata
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from speechmill.core.errors import ConfigError
from speechmill.telemetry.metrics import BUCKETS_S, METRICS, Metric

EVERY_MS = 10_000.0  # OpenTelemetry's own default of a minute is longer than many a task
EVERY = "OTEL_METRIC_EXPORT_INTERVAL"
CLOSE_MS = 2_000.0


class OpenTelemetrySink:
    """A provider of its own, with its readers."""

    def __init__(self, environment: Mapping[str, str], *, otlp: bool, page: tuple[str, int] | None) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import Resource

        version = importlib.metadata.version("speechmill")
        self._problems: list[str] = []
        self._messages = _Messages()
        self._page: Any = None
        readers = self._prometheus(*page) if page is not None else []
        readers += [_collector(environment)] if otlp else []  # last: it may take all the time there is at the end
        resource = Resource.create(
            {
                "service.name": environment.get("OTEL_SERVICE_NAME", "speechmill"),
                "service.version": version,
                "service.instance.id": uuid.uuid4().hex,  # counters of two tasks must not be taken for one
            }
        )
        self._provider = MeterProvider(readers, resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("speechmill", version)
        self._instruments = {metric.name: _instrument(meter, metric) for metric in METRICS}

    def send(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        instrument = self._instruments[metric.name]
        if metric.kind == "counter":
            instrument.add(value, dict(labels))
        elif metric.kind == "gauge":
            instrument.set(value, dict(labels))
        else:
            instrument.record(value, dict(labels))

    def close(self) -> str | None:
        began = time.monotonic()
        ending = threading.Thread(target=self._shut_down, daemon=True, name="metrics-end")
        ending.start()
        ending.join(2 * CLOSE_MS / 1000)
        if time.monotonic() - began >= CLOSE_MS / 1000:  # the SDK gives up without a word
            self._messages.last = self._messages.last or f"no answer for {CLOSE_MS / 1000:.0f} s at the end"
        if self._page is not None:
            self._page.shutdown()
            self._page.server_close()
        self._messages.close()
        if self._messages.last:
            self._problems.append(f"metrics were lost: {self._messages.last}")
        return "; ".join(self._problems) or None

    def _shut_down(self) -> None:
        try:
            self._provider.shutdown(timeout_millis=CLOSE_MS)
        except Exception as error:  # the SDK raises a bare Exception for readers that were late
            self._messages.last = self._messages.last or str(error)

    def _prometheus(self, host: str, port: int) -> list[Any]:
        """Serve the page. A port that is taken (by another task here) is told of, and costs the page only."""
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()
        try:
            self._page, _thread = start_http_server(port, host, registry)
        except OSError as error:
            self._problems.append(f"no page for Prometheus at {host}:{port}: {error.strerror or error}")
            return []
        return [PrometheusMetricReader(scope_info_enabled=False, registry=registry)]


class _Messages(logging.Handler):
    """Keeps the last thing that the SDK complains of, instead of printing each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._logger = logging.getLogger("opentelemetry")
        self._propagated = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()

    def close(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
        super().close()


def _collector(environment: Mapping[str, str]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    every = None if environment.get(EVERY) else EVERY_MS
    try:
        return PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=every)
    except ValueError as error:
        raise ConfigError(f"the variables OTEL_... can't be used: {error}") from error


def _instrument(meter: Any, metric: Metric) -> Any:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.help)
    if metric.kind == "gauge":
        return meter.create_gauge(metric.name, metric.unit, metric.help)
    return meter.create_histogram(
        metric.name, metric.unit, metric.help, explicit_bucket_boundaries_advisory=list(BUCKETS_S)
    )
