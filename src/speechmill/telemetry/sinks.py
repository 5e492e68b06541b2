# SPDX-License-Identifier: Apache-2.0
"""Where metrics go: what a sink is, and which ones the environment asks for.

SPEECHMILL_STATSD=host:port             StatsD over UDP
SPEECHMILL_STATSD_TAGS=influxdb         with labels as tags, for servers that read these
OTEL_EXPORTER_OTLP_ENDPOINT=http://...  OpenTelemetry by OTLP/HTTP, with the standard's other variables
SPEECHMILL_PROMETHEUS=127.0.0.1:9464    a page that Prometheus reads

The environment, not the corpus file: a task has its place's variables whatever started it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Protocol

from speechmill.core.errors import ConfigError, MissingDependency
from speechmill.telemetry.metrics import Metric

STATSD = "SPEECHMILL_STATSD"
TAGS = "SPEECHMILL_STATSD_TAGS"
PROMETHEUS = "SPEECHMILL_PROMETHEUS"
OTLP = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"


class Sink(Protocol):
    """Takes measurements and passes them on in its own time: `send` never waits and never raises."""

    def send(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter, set a gauge, or put one value into a histogram."""
        ...

    def close(self) -> str | None:
        """Pass on what is left, within seconds. Returns what a person should know: what was lost, and why."""
        ...


def sinks(environment: Mapping[str, str]) -> list[Sink]:
    """Open the sinks that the environment asks for. Raises ConfigError, MissingDependency."""
    found: list[Sink] = []
    if address := environment.get(STATSD):
        _require("statsd", STATSD)
        from speechmill.telemetry.statsd import StatsdSink

        tags = environment.get(TAGS, "none")
        if tags not in ("influxdb", "none"):
            raise ConfigError(f"{TAGS}={tags}: none (the default) or influxdb")
        found.append(StatsdSink(*host_and_port(address, STATSD, 8125), tagged=tags == "influxdb"))
    asked = _asks_for_otlp(environment)
    page = environment.get(PROMETHEUS)
    if asked:
        _require("opentelemetry.exporter.otlp.proto.http.metric_exporter", asked)
    if page:  # each exporter is a package of its own, and some have the one without the other
        _require("opentelemetry.exporter.prometheus", PROMETHEUS)
    if asked or page:
        from speechmill.telemetry.otel import OpenTelemetrySink

        host_port = host_and_port(page, PROMETHEUS, 9464) if page else None
        found.append(OpenTelemetrySink(environment, otlp=asked is not None, page=host_port))
    return found


def _asks_for_otlp(environment: Mapping[str, str]) -> str | None:
    """Name the variable that asks for OTLP, as the OpenTelemetry specification has it. Raises ConfigError."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if environment.get("OTEL_METRICS_EXPORTER", "otlp") != "otlp":
        return None
    asked = next((name for name in OTLP if environment.get(name)), None)
    protocol = next((name for name in PROTOCOLS if environment.get(name)), None)
    if asked and protocol and environment[protocol] != SPOKEN:
        raise ConfigError(
            f"{protocol}={environment[protocol]}: speechmill speaks {SPOKEN} (port 4318 of most collectors). "
            f"Set {protocol}={SPOKEN}, or OTEL_METRICS_EXPORTER=none for no metrics"
        )
    return asked


def host_and_port(address: str, variable: str, default: int) -> tuple[str, int]:
    """Read HOST:PORT; without a host it is this machine. Raises ConfigError.

    >>> host_and_port("collector:9125", "X", 8125), host_and_port("[::1]:9125", "X", 8125)
    (('collector', 9125), ('::1', 9125))
    >>> host_and_port("collector", "X", 8125), host_and_port("9125", "X", 8125)
    (('collector', 8125), ('127.0.0.1', 9125))
    """
    address = f":{address}" if address.isdecimal() else address
    host, separator, port = address.rpartition(":")
    if not separator or address.endswith("]"):
        host, port = address, str(default)
    if not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise ConfigError(f"{variable}={address}: write it as HOST:PORT, for example 127.0.0.1:{default}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _require(package: str, variable: str) -> None:
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingDependency(f"{variable} asks for metrics, which need: pip install 'speechmill[telemetry]'")
