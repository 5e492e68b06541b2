# SPDX-License-Identifier: Apache-2.0
"""Watch a run and measure it: an observer around another, that tells the sinks."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import psutil

from speechmill.pipeline.events import Event
from speechmill.pipeline.record import Observer, Scope
from speechmill.pipeline.worker import at_work, inflight_name
from speechmill.telemetry import metrics
from speechmill.telemetry.logs import JsonLog
from speechmill.telemetry.metrics import Bounded, Metric, shard_label
from speechmill.telemetry.sinks import Sink, sinks

SAMPLE_S = 5.0
LOG = "SPEECHMILL_LOG"


@contextlib.contextmanager
def observed(observer: Observer, environment: Mapping[str, str] | None = None) -> Iterator[Observer]:
    """Give an observer that also logs and measures as the environment asks; where it asks for nothing, the same one.

    SPEECHMILL_LOG=json writes lines of JSON instead of what the observer shows. Raises ConfigError, MissingDependency.
    """
    environment = os.environ if environment is None else environment
    shown = JsonLog() if environment.get(LOG) == "json" else observer
    opened = sinks(environment)
    if not opened:
        yield shown
        return
    measured = Measured(shown, opened)
    try:
        yield measured
    finally:
        measured.close()


class Measured:
    """Passes everything on to an observer, and measures it into sinks."""

    def __init__(self, observer: Observer, to: Sequence[Sink]) -> None:
        self._observer = observer
        self._sinks = to
        self._shards, self._reasons = Bounded(metrics.MOST_SHARDS), Bounded(metrics.MOST_REASONS)
        self._saturation: Saturation | None = None
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True, name="saturation")

    def note(self, text: str) -> None:
        self._observer.note(text)

    def scope(self, scope: Scope) -> None:
        self._observer.scope(scope)
        self._saturation = Saturation(scope)

    def begin(self, recordings: int, audio_s: float) -> None:
        self._observer.begin(recordings, audio_s)
        if self._saturation is not None:
            self._saturation.waiting = recordings
        if not self._sampler.is_alive():
            self._sampler.start()

    def done(self, recording_id: str, audio_s: float, events: Sequence[Event]) -> None:
        self._observer.done(recording_id, audio_s, events)
        for event in events:
            self._measure(event)
        if self._saturation is not None:
            self._saturation.done(events)

    def close(self) -> None:
        """Send the last of it, gauges as nothing: the process is about to be no more."""
        self._ended.set()
        if self._sampler.is_alive():
            self._sampler.join(SAMPLE_S)
        if self._saturation is not None:
            for metric, _value, labels in self._saturation.values():
                self._send(metric, 0.0, labels)
        for sink in self._sinks:
            if problem := sink.close():
                self._observer.note(problem)

    def _measure(self, event: Event) -> None:
        labels = {"stage": event.stage, "shard": self._shards(event.shard)}
        if event.wall_s:  # of a worker that died it isn't known
            self._send(metrics.DURATION, event.wall_s, labels)
        self._send(metrics.RECORDINGS, 1, labels)
        self._send(metrics.AUDIO, event.audio_s, labels)
        self._send(metrics.CPU, event.cpu_s, labels)
        if event.failed is not None:
            self._send(metrics.FAILURES, 1, {**labels, "reason": self._reasons(event.failed)})

    def _send(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        for sink in self._sinks:
            sink.send(metric, value, labels)

    def _sample(self) -> None:
        while True:
            if self._saturation is not None:
                for metric, value, labels in self._saturation.values():
                    self._send(metric, value, labels)
            if self._ended.wait(SAMPLE_S):
                return


class Saturation:
    """How full a process and its workers are, wherever these are: seen from what they answer and leave behind."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._markers = {inflight_name(member.key) for member in scope.members}
        self._label = shard_label(scope.shards)
        self._rss_mb: OrderedDict[str, float] = OrderedDict()  # of the workers heard last
        self._stages: set[str] = set()  # that were seen at work: they are told of when idle again
        self.waiting = 0

    def done(self, events: Sequence[Event]) -> None:
        """Take note of a recording that is through."""
        self.waiting = max(0, self.waiting - 1)
        for event in events:
            if event.worker:
                self._rss_mb[event.worker] = event.peak_rss_mb
                self._rss_mb.move_to_end(event.worker)
        while len(self._rss_mb) > self._scope.workers:
            self._rss_mb.popitem(last=False)

    def values(self) -> list[tuple[Metric, float, dict[str, str]]]:
        """Return the gauges as they are now."""
        mine = {"shard": self._label}
        memory_mb = psutil.Process().memory_info().rss / 2**20 + sum(self._rss_mb.copy().values())
        found = at_work(self._scope.folder)  # of the whole run; others count theirs
        busy = Counter(stage for name, stage in found.items() if name in self._markers)
        self._stages |= busy.keys()
        return [
            (metrics.WORKERS, self._scope.workers, mine),
            (metrics.WAITING, self.waiting, mine),
            (metrics.MEMORY, round(memory_mb * 2**20), mine),
            *((metrics.BUSY, busy[stage], {"stage": stage, **mine}) for stage in sorted(self._stages)),
        ]
