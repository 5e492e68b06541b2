# SPDX-License-Identifier: Apache-2.0
"""The table of metrics: the four golden signals of a run, for each stage and shard.

Names are OpenTelemetry's (dots, a unit beside the name). Prometheus and StatsD names follow from them by rule, so
that one dashboard serves both. A recording's id is never a label; shards and reasons are bounded by `Bounded`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]
Signal = Literal["latency", "traffic", "errors", "saturation"]

OTHER = "other"  # the label of what came after the bound
MOST_SHARDS = 100  # with some 15 stages below the 2,000 series an OpenTelemetry SDK keeps of one metric
MOST_REASONS = 50
# Seconds of one recording in one stage: from a sidecar that is read to ten hours that are transcribed.
BUCKETS_S = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)

_UNITS = {"s": "seconds", "By": "bytes"}  # as Prometheus spells them; {annotations} are left out
_NOT_IN_STATSD = re.compile(r"[^A-Za-z0-9_.\-]")


class Metric(Struct, frozen=True):
    """A row of the table."""

    name: str
    kind: Kind
    unit: str  # UCUM, as OpenTelemetry wants it
    labels: tuple[str, ...]
    signal: Signal
    help: str

    @property
    def prometheus(self) -> str:
        """The name that Prometheus has it under: with its unit, and "_total" where it counts.

        >>> AUDIO.prometheus
        'speechmill_stage_audio_seconds_total'
        """
        words = [self.name.replace(".", "_"), _UNITS.get(self.unit, ""), "total" if self.kind == "counter" else ""]
        return "_".join(filter(None, words))

    def statsd(self, labels: Mapping[str, str], *, tagged: bool = False) -> str:
        """The name in StatsD, whose protocol has no labels: their values follow the name, or are tags behind it.

        >>> DURATION.statsd({"stage": "quality.snr", "shard": "00017"})
        'speechmill.stage.duration.quality.snr.00017'
        >>> DURATION.statsd({"stage": "quality.snr", "shard": "00017"}, tagged=True)
        'speechmill.stage.duration,stage=quality.snr,shard=00017'
        """
        values = {label: _NOT_IN_STATSD.sub("_", labels[label]) or "_" for label in self.labels}
        if tagged:  # as InfluxDB writes them; Prometheus's statsd_exporter and Telegraf read it
            return ",".join([self.name, *(f"{label}={value}" for label, value in values.items())])
        # Only a stage's name may have dots: it comes first, so that the parts can still be told from one another.
        return ".".join(
            [self.name, *(value if label == "stage" else value.replace(".", "_") for label, value in values.items())]
        )


_EACH = ("stage", "shard")

DURATION = Metric(
    "speechmill.stage.duration", "histogram", "s", _EACH, "latency", "Wall seconds of one recording in a stage"
)
RECORDINGS = Metric(
    "speechmill.stage.recordings", "counter", "{recording}", _EACH, "traffic", "Recordings through a stage, or failed"
)
AUDIO = Metric("speechmill.stage.audio", "counter", "s", _EACH, "traffic", "Seconds of audio through a stage")
CPU = Metric("speechmill.stage.cpu", "counter", "s", _EACH, "saturation", "CPU seconds that a stage took")
FAILURES = Metric(
    "speechmill.stage.failures",
    "counter",
    "{recording}",
    ("stage", "shard", "reason"),
    "errors",
    "Recordings that failed in a stage, by reason",
)
WORKERS = Metric("speechmill.workers", "gauge", "{worker}", ("shard",), "saturation", "Workers that a process has")
BUSY = Metric(
    "speechmill.workers.busy", "gauge", "{worker}", _EACH, "saturation", "Workers at a recording, by stage it is in"
)
WAITING = Metric(
    "speechmill.recordings.waiting",
    "gauge",
    "{recording}",
    ("shard",),
    "saturation",
    "Recordings that wait or are at work in a process",
)
MEMORY = Metric(
    "speechmill.memory", "gauge", "By", ("shard",), "saturation", "Memory (RSS) of a process and its workers"
)

METRICS = (DURATION, RECORDINGS, AUDIO, CPU, FAILURES, WORKERS, BUSY, WAITING, MEMORY)


class Bounded:
    """Values of a label, each as it is until there are too many; then "other", so that no backend drowns."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """Return the label for a value."""
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


def shard_label(shards: Sequence[str]) -> str:
    """Name the shards that a process works on: one, or a range.

    >>> shard_label(["00010", "00011"]), shard_label(["00003"])
    ('00010-00011', '00003')
    """
    ordered = sorted(shards) or [""]
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]}-{ordered[-1]}"
