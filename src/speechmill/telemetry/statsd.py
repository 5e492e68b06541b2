# SPDX-License-Identifier: Apache-2.0
"""StatsD over UDP, from a thread of its own behind a queue with an end.

A name that doesn't resolve or a server that is gone costs measurements, never time of the run. Labels are parts of
the name, or tags as InfluxDB writes them; with `deploy/statsd/mapping.yml` Prometheus has the same names by either.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from speechmill.telemetry.metrics import Metric

MOST_WAITING = 10_000  # measurements: some seconds of a busy run
MOST_TOGETHER = 100  # in one go; the client cuts them into packets of 512 bytes
RESOLVE_AGAIN_S = 30.0
CLOSE_S = 2.0

_Line = tuple[Metric, float, str]


class StatsdSink:
    """Sends to one server."""

    def __init__(self, host: str, port: int, *, tagged: bool = False) -> None:
        self._address = (host, port)
        self._tagged = tagged
        self._waiting: queue.Queue[_Line | None] = queue.Queue(MOST_WAITING)
        self._lost = 0
        self._problem = "the queue was full"
        self._asked = -RESOLVE_AGAIN_S  # when the name was last looked up
        self._thread = threading.Thread(target=self._work, daemon=True, name="statsd")
        self._thread.start()

    def send(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        try:
            self._waiting.put_nowait((metric, value, metric.statsd(labels, tagged=self._tagged)))
        except queue.Full:
            self._lost += 1

    def close(self) -> str | None:
        while True:
            try:
                self._waiting.put_nowait(None)
                break
            except queue.Full:  # make room for the end
                self._lost += self._waiting.get_nowait() is not None
        self._thread.join(CLOSE_S)
        lost = self._lost + max(0, self._waiting.qsize() - 1)
        host, port = self._address
        return f"{lost} measurements were not sent to StatsD at {host}:{port}: {self._problem}" if lost else None

    def _work(self) -> None:
        client: Any = None
        ended = False
        while not ended:
            lines = self._some()
            ended = lines[-1] is None
            known = [line for line in lines if line is not None]
            client = client or self._client()
            if client is None:
                self._lost += len(known)
                continue
            with client.pipeline() as together:
                for metric, value, name in known:
                    _write(together, metric, value, name)
        if client is not None:
            client.close()

    def _some(self) -> list[_Line | None]:
        """Wait for a line; return it with those that wait behind it, up to the end."""
        lines = [self._waiting.get()]
        while lines[-1] is not None and len(lines) < MOST_TOGETHER:
            try:
                lines.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return lines

    def _client(self) -> Any:
        """Return a client, or None while the server's name can't be resolved."""
        from statsd import StatsClient

        if time.monotonic() - self._asked < RESOLVE_AGAIN_S:
            return None
        self._asked = time.monotonic()
        host, port = self._address
        try:
            return StatsClient(host, port, ipv6=":" in host)
        except OSError as error:
            self._problem = str(error)
            return None


def _write(client: Any, metric: Metric, value: float, name: str) -> None:
    if metric.kind == "counter":
        client.incr(name, _number(value))
    elif metric.kind == "gauge":
        client.gauge(name, _number(value))
    else:
        client.timing(name, value * 1000)  # StatsD's timers are of milliseconds


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 4)
