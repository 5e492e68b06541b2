#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""StatsD in over UDP, Prometheus's text out over HTTP, for machines without Prometheus's own statsd_exporter.

    python exporter.py --statsd.listen-udp=127.0.0.1:9125 --web.listen-address=127.0.0.1:9102 \
        --statsd.mapping-config=mapping.yml

Takes the options and the mapping file of https://github.com/prometheus/statsd_exporter, as far as they are used here:
counters, gauges (also +1 and -1), timers in milliseconds as histograms in seconds, and tags as InfluxDB
(`name,tag=value:1|c`) and DogStatsD (`name:1|c|#tag:value`) write them. What it can't read it counts.
"""

from __future__ import annotations

import argparse
import math
import re
import socketserver
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

Labels = tuple[tuple[str, str], ...]
ERRORS = "statsd_exporter_samples_error_total"
MOST_SERIES = 20_000  # a tag with ever new values must not fill the memory
_KINDS = {"c": "counter", "g": "gauge", "ms": "histogram", "h": "histogram", "d": "histogram"}


@dataclass(frozen=True)
class Sample:
    """One number that somebody sent."""

    name: str
    kind: str  # counter, gauge or histogram
    value: float
    labels: Labels
    relative: bool = False  # of a gauge: add, don't set


@dataclass
class Histogram:
    """Observed values, counted up to each bound."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: Labels) -> Iterator[str]:
        seen = 0
        for bound, count in zip((*(f"{bound:g}" for bound in self.bounds), "+Inf"), self.counts, strict=True):
            seen += count
            yield f"{name}_bucket{_braces((*labels, ('le', bound)))} {seen}"
        yield f"{name}_sum{_braces(labels)} {self.total!r}"
        yield f"{name}_count{_braces(labels)} {seen}"


class Names:
    """What mapping.yml says of names."""

    def __init__(self, text: str) -> None:
        said = yaml.safe_load(text) or {}
        self._usual: Sequence[float] = said["defaults"]["histogram_options"]["buckets"]
        self._bounds: dict[str, Sequence[float]] = {}
        self._ttl: dict[str, float] = {}
        self._rules = [(_pattern(rule), rule) for rule in said.get("mappings", ())]

    def rename(self, name: str) -> tuple[str, Labels] | None:
        """Return a name as Prometheus allows it and labels taken from it; None: drop it."""
        for pattern, rule in self._rules:
            if found := pattern.fullmatch(name):
                if rule.get("action") == "drop":
                    return None
                labels = tuple((key, _put_in(value, found)) for key, value in rule.get("labels", {}).items())
                renamed = _clean(_put_in(rule["name"], found))
                if own := rule.get("histogram_options"):
                    self._bounds[renamed] = own["buckets"]
                if ttl := rule.get("ttl"):
                    self._ttl[renamed] = _seconds(ttl)
                return renamed, labels
        return _clean(name), ()

    def bounds(self, name: str) -> Sequence[float]:
        """Return the buckets of a histogram, by its name for Prometheus."""
        return self._bounds.get(name, self._usual)

    def ttl(self, name: str) -> float:
        """Return after how many seconds without news a metric is forgotten, by its name for Prometheus."""
        return self._ttl.get(name, math.inf)


class Store:
    """Everything that was sent so far."""

    def __init__(self, mapping: Names) -> None:
        self._mapping = mapping
        self._lock = threading.Lock()
        self._kinds: dict[str, str] = {}
        self._series: dict[tuple[str, Labels], float | Histogram] = {}
        self._heard: dict[tuple[str, Labels], float] = {}

    def take(self, packet: bytes) -> None:
        """Count in a packet of lines."""
        for line in packet.decode("utf-8", errors="replace").splitlines():
            if not line:
                continue
            try:
                for sample in read_line(line):
                    self._add(sample)
            except ValueError:
                self._add(Sample(ERRORS, "counter", 1.0, ()))

    def _add(self, sample: Sample) -> None:
        renamed = self._mapping.rename(sample.name)
        if renamed is None:
            return
        name, labels = renamed
        with self._lock:
            if self._kinds.setdefault(name, sample.kind) != sample.kind:
                raise ValueError(f"{name} was a {self._kinds[name]} and is a {sample.kind}")
            key = (name, tuple(sorted({**dict(labels), **dict(sample.labels)}.items())))
            if key not in self._series and len(self._series) >= MOST_SERIES:
                raise ValueError("too many series")
            self._put(key, sample)
            self._heard[key] = time.monotonic()

    def _put(self, key: tuple[str, Labels], sample: Sample) -> None:
        before = self._series.get(key)
        if sample.kind == "histogram":
            histogram = before if isinstance(before, Histogram) else Histogram(self._mapping.bounds(key[0]))
            histogram.observe(sample.value)
            self._series[key] = histogram
        elif sample.kind == "counter" or sample.relative:
            self._series[key] = (before if isinstance(before, float) else 0.0) + sample.value
        else:
            self._series[key] = sample.value

    def text(self) -> str:
        """Return Prometheus's text format 0.0.4."""
        with self._lock:
            self._forget()
            lines, last = [], ""
            for (name, labels), value in sorted(self._series.items(), key=lambda item: item[0]):
                if name != last:
                    lines.append(f"# TYPE {name} {self._kinds[name]}")
                    last = name
                if isinstance(value, Histogram):
                    lines += value.lines(name, labels)
                else:
                    lines.append(f"{name}{_braces(labels)} {value!r}")
        return "\n".join([*lines, ""])

    def _forget(self) -> None:
        now = time.monotonic()
        for key in [key for key, heard in self._heard.items() if now - heard > self._mapping.ttl(key[0])]:
            del self._series[key], self._heard[key]


def read_line(line: str) -> list[Sample]:
    """Read one line: "name,tag=value:12|ms|@0.5|#other:value". Raises ValueError.

    >>> read_line("airflow.ti.start,dag_id=talks:1|c")
    [Sample(name='airflow.ti.start', kind='counter', value=1.0, labels=(('dag_id', 'talks'),), relative=False)]
    """
    head, _, rest = line.rpartition(":") if "|#" not in line else line.partition(":")
    number, kind, *more = rest.split("|")
    name, *tags = head.split(",")
    if not name or kind not in _KINDS:
        raise ValueError(line)
    rate = next((float(part[1:]) for part in more if part.startswith("@")), 1.0)
    pairs = [tag.partition("=") for tag in tags]
    pairs += [tag.partition(":") for part in more if part.startswith("#") for tag in part[1:].split(",")]
    labels = tuple((_clean(key), value) for key, _, value in pairs)
    value = float(number)
    if kind == "c":
        value /= rate
    elif kind == "ms":
        value /= 1000
    return [Sample(name, _KINDS[kind], value, labels, kind == "g" and number[0] in "+-")]


def _pattern(rule: dict[str, Any]) -> re.Pattern[str]:
    match = rule["match"]
    if rule.get("match_type") == "regex":
        return re.compile(match)
    return re.compile(r"([^.]*)".join(re.escape(part) for part in match.split("*")))


def _seconds(written: str) -> float:
    """Read a time as Prometheus writes it: 30s, 1m, 2h."""
    return float(written[:-1]) * {"s": 1, "m": 60, "h": 3600}[written[-1]]


def _put_in(template: str, found: re.Match[str]) -> str:
    return re.sub(r"\$\{?(\d+)\}?", lambda place: found.group(int(place[1])), str(template))


def _clean(name: str) -> str:
    """Return a name of the characters that Prometheus allows."""
    cleaned = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return f"_{cleaned}" if cleaned[:1].isdigit() else cleaned


def _braces(labels: Labels) -> str:
    escaped = [(key, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for key, value in labels]
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped) + "}" if labels else ""


def serve(store: Store, udp: tuple[str, int], web: tuple[str, int]) -> None:
    """Serve until killed."""

    class Packet(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            store.take(self.request[0])

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = store.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing of each scrape."""

    pages = ThreadingHTTPServer(web, Page)
    threading.Thread(target=pages.serve_forever, daemon=True).start()

    class Packets(socketserver.UDPServer):
        max_packet_size = 65_535

    with Packets(udp, Packet) as packets:
        packets.serve_forever()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statsd.listen-udp", dest="udp", default="127.0.0.1:9125")
    parser.add_argument("--statsd.listen-tcp", dest="tcp", choices=("",), default="", help="there is none")
    parser.add_argument("--web.listen-address", dest="web", default="127.0.0.1:9102")
    parser.add_argument("--statsd.mapping-config", dest="mapping", type=Path, required=True)
    asked = parser.parse_args()
    store = Store(Names(asked.mapping.read_text(encoding="utf-8")))
    serve(store, _address(asked.udp), _address(asked.web))


def _address(written: str) -> tuple[str, int]:
    host, _, port = written.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    main()
