# SPDX-License-Identifier: Apache-2.0
"""Crawling: seconds a video, on the offline replica of YouTube at a stated latency, beside yt-dlp video after video.

Rows `keyword`, `channel`, `playlist`, `video`: from the first description to the end of the crawl, over all videos;
so the listing's pages, the catalog, and the care that a new way is taken with (two visits at once until 32 went well)
are in it, and the start of the worker processes isn't. That care takes 12 s or so: of fewer videos each takes longer.
`with_start_up` is the whole crawl; `steady` the second half of the videos. No media is asked for. `small` is `keyword`
with pages as small as they can be. `requests`: what the replica was asked, listings included, a described video.
`download`: description, captions, media, original stored, and canonical 24 kHz audio, of clips of 20 s.

The baseline is one YoutubeDL as people use it, extract_info video after video, on a sample in the same run, and for
`download` make_canonical after each. It too has its sockets send at once, which it would not do through a proxy.

Budgets and spacing are off: they are what a real platform is asked by, and by them 250 videos take an hour. Replica,
crawler and baseline share the machine, and the distance is `latency_s` a request: these are figures of loopback, not
to be set beside live ones. `cpu_ms`: computing a video, of the main process, its workers, and the replica.

    python benchmarks/crawl.py [--items 800] [--repeat 3] [--rows keyword,download] [--threads 8]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml
from msgspec import Struct

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from replica.handle import Replica
from speechmill.crawl.corpus import job_of
from speechmill.crawl.plane import CrawlJob, Silent, run_crawl
from speechmill.engines.local import usable_cores
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.pipeline.spec import load

LATENCY_S = 0.3
CHANNEL = 3
RIGHTS = {"basis": "none needed", "evidence": "the replica's tones are nobody's"}  # so that every video is fetched
HOME = "https://www.youtube.com"
KINDS = ("keyword", "channel", "playlist", "video")
ROWS = (*KINDS, "small", "requests", "download")


class Measured(Struct, frozen=True):
    """One crawl. Seconds and milliseconds are of one video."""

    seconds: float
    with_start_up: float
    steady: float
    requests: float
    cpu_ms: dict[str, float]
    videos: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=800, help="videos of each crawl")
    parser.add_argument("--sample", type=int, default=12, help="videos of each baseline")
    parser.add_argument("--repeat", type=int, default=3, help="crawls, of which the median counts")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--processes", type=int, help="default: the product's, one a core")
    parser.add_argument("--threads", type=int, help="in each; default: the product's")
    parser.add_argument("--latency", type=float, default=LATENCY_S, help="seconds")
    options = parser.parse_args()
    world = {
        "latency_s": options.latency,
        "videos_per_channel": options.items,
        "search_results": options.items,
        "languages": ("vi",),  # the corpus's, so that no video is left out
    }
    with Replica.start(ports=1, channels=5, **world) as replica, tempfile.TemporaryDirectory() as folder:
        os.environ.update(replica.environment())
        bench = Bench(replica, Path(folder), options)
        rows = [bench.row(name) for name in options.rows.split(",")]
    print(json.dumps({"rows": rows}))


class Bench:
    """A replica, a folder for crawls, and what is measured of them."""

    def __init__(self, replica: Replica, folder: Path, options: argparse.Namespace) -> None:
        self._replica, self._folder, self._options = replica, folder, options
        self._number = 0
        self._measured: dict[tuple[str, str, bool], tuple[list[Measured], tuple[float, float]]] = {}

    def row(self, name: str) -> dict[str, Any]:
        """Measure one row: the median of some crawls, and the baseline."""
        kind = name if name in KINDS else "keyword"
        weight = "small" if name == "small" else "realistic"
        self._replica.control(weight=weight)
        runs, baseline = self._of(kind, weight, fetch=name == "download")
        measured = {"name": name, **self._figures(name, runs, baseline), **self._conditions(weight, runs)}
        print(json.dumps(measured), file=sys.stderr)
        return measured

    def _of(self, kind: str, weight: str, *, fetch: bool) -> tuple[list[Measured], tuple[float, float]]:
        """Return what was measured of some crawls alike, and of the baseline; once, whatever rows are made of it."""
        key = (kind, weight, fetch)
        if key not in self._measured:
            runs = [self._crawl(kind, fetch=fetch) for _ in range(self._options.repeat)]
            self._measured[key] = runs, self._baseline(kind, fetch=fetch)
        return self._measured[key]

    def _figures(self, name: str, runs: list[Measured], baseline: tuple[float, float]) -> dict[str, Any]:
        if name == "requests":
            ours, theirs, unit = _median(runs, "requests"), baseline[1], "requests a described video"
        else:
            ours, theirs, unit = _median(runs, "seconds"), baseline[0], "s a video"
        figures = {
            "unit": unit,
            "ours": round(ours, 4),
            "baseline": round(theirs, 3),
            "baseline_name": f"yt-dlp, {self._options.sample} videos one after another",
            "ratio": round(theirs / ours, 1),
            "requests": round(_median(runs, "requests"), 3),
            "baseline_requests": round(baseline[1], 2),
        }
        if name != "requests":
            figures |= {field: round(_median(runs, field), 4) for field in ("with_start_up", "steady")}
            figures["all_runs"] = [round(run.seconds, 4) for run in runs]
        return figures

    def _conditions(self, weight: str, runs: list[Measured]) -> dict[str, Any]:
        parts = runs[0].cpu_ms
        return {
            "videos": runs[0].videos,
            "latency_s": self._options.latency,
            "pages": weight,
            "bytes_a_video": page_weight(self._replica),
            "cores": usable_cores(),
            "processes": self._options.processes or usable_cores(),
            "threads": self._options.threads or CrawlOptions().threads,
            "cpu_ms": {part: round(statistics.median(run.cpu_ms[part] for run in runs), 1) for part in parts},
            "load": round(os.getloadavg()[0], 1),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }

    # -- ours

    def _crawl(self, kind: str, *, fetch: bool) -> Measured:
        self._replica.control(reset=True)
        self._number += 1
        folder = self._folder / f"{kind}-{self._number}"
        folder.mkdir()
        job = self._job(kind, folder, fetch=fetch)
        before = self._cpu()
        began = time.time()
        progress = run_crawl(job, Silent()).progress
        ended = time.time()
        spent = {part: 1000 * (after - before[part]) for part, after in self._cpu().items()}
        videos = progress.canonical if fetch else progress.described
        if videos != self._options.items:
            raise SystemExit(f"{kind}: {videos} of {self._options.items} videos; errors: {dict(progress.errors)}")
        ends = finished_at(folder / "workspace" / "catalog.db")
        half = len(ends) // 2
        return Measured(
            seconds=(ended - ends[0]) / videos,
            with_start_up=(ended - began) / videos,
            steady=(ends[-1] - ends[half]) / (len(ends) - 1 - half),
            requests=sum(self._replica.statistics()["by_host"].values()) / videos,
            cpu_ms={part: value / videos for part, value in spent.items()},
            videos=videos,
        )

    def _job(self, kind: str, folder: Path, *, fetch: bool) -> CrawlJob:
        options = {name: getattr(self._options, name) for name in ("processes", "threads")}
        crawl = {
            "egress": [{"name": "replica", "proxy": self._replica.proxy()}],
            "spacing_s": 0.0,
            "budgets": {"youtube": None},
            **{name: value for name, value in options.items() if value is not None},
        }
        corpus = {
            "language": "vi",
            "sources": [{"youtube": {**self._query(kind), "rights": RIGHTS}}],
            "store": "workspace",
            "crawl": crawl,
            "transcript": None,
            "align": None,
            "diarize": None,
        }
        (folder / "corpus.yaml").write_text(yaml.safe_dump(corpus))
        return job_of(load(folder / "corpus.yaml"), fetch=fetch)

    def _query(self, kind: str) -> dict[str, Any]:
        videos = [f"v{CHANNEL * 1000 + index:010d}" for index in range(self._options.items)]
        queries: dict[str, dict[str, Any]] = {
            "keyword": {"search": "kể chuyện"},
            "channel": {"channel": f"@channel{CHANNEL}"},
            "playlist": {"playlist": f"PLreplica{CHANNEL:09d}"},
            "video": {"video": videos},
        }
        return queries[kind]

    def _cpu(self) -> dict[str, float]:
        """Return seconds of computing so far, of this process, of its children that ended, and of the replica."""
        own, replica = psutil.Process().cpu_times(), psutil.Process(self._replica.process_id).cpu_times()
        return {
            "main": own.user + own.system,
            "workers": own.children_user + own.children_system,
            "replica": replica.user + replica.system,
        }

    # -- the baseline

    def _baseline(self, kind: str, *, fetch: bool) -> tuple[float, float]:
        """Return seconds and requests a video, of yt-dlp as it is."""
        from yt_dlp import YoutubeDL

        self._replica.control(reset=True)
        sample = self._options.sample
        options = {
            "quiet": True,
            "no_warnings": True,
            "noprogress": True,
            "proxy": self._replica.proxy(),
            "compat_opts": {"no-certifi"},  # whose place the replica's own authority takes
            "cachedir": str(self._folder / "cache"),
            "paths": {"home": str(self._folder / "baseline")},
            "playlistend": sample,
            **({"format": "bestaudio", "fixup": "never"} if fetch else {}),
        }
        addresses = {
            "keyword": [f"ytsearch{sample}:kể chuyện"],
            "channel": [f"{HOME}/@channel{CHANNEL}/videos"],
            "playlist": [f"{HOME}/playlist?list=PLreplica{CHANNEL:09d}"],
            "video": [f"{HOME}/watch?v=v{CHANNEL * 1000 + index:010d}" for index in range(sample)],
        }
        with at_once(), YoutubeDL(options) as client:
            began = time.perf_counter()
            found = [client.extract_info(address, download=fetch) for address in addresses[kind]]
            if fetch:
                self._normalise([Path(one["requested_downloads"][0]["filepath"]) for one in found[0]["entries"]])
            seconds = time.perf_counter() - began
        count = sum(len(one.get("entries") or [one]) for one in found)
        if count != sample:
            raise SystemExit(f"baseline of {kind}: {count} of {sample} videos")
        return seconds / sample, sum(self._replica.statistics()["by_host"].values()) / sample

    def _normalise(self, files: list[Path]) -> None:
        from speechmill.formats.audio import make_canonical

        target = self._folder / "canonical"
        target.mkdir(exist_ok=True)
        for file in files:
            make_canonical(file, target, file.stem[-12:-1], "mix")[1].close()
            file.unlink()


def finished_at(catalog: Path) -> list[float]:
    """Return when each visit ended, in order, as the catalog has it."""
    connection = sqlite3.connect(catalog)
    try:
        return sorted(end for (end,) in connection.execute("SELECT started + seconds FROM attempts"))
    finally:
        connection.close()


def page_weight(replica: Replica) -> dict[str, int]:
    """Return bytes of the two answers that describe a video, as they come and unpacked."""
    import requests

    packed = plain = 0
    with requests.Session() as session:
        session.proxies, session.trust_env, session.verify = {"https": replica.proxy()}, False, str(replica.ca_file)
        for name in ("player", "next"):
            wanted = {"videoId": f"v{CHANNEL * 1000:010d}", "context": {"client": {"clientName": "VISIONOS"}}}
            answer = session.post(f"{HOME}/youtubei/v1/{name}", json=wanted, timeout=30)
            answer.raise_for_status()
            packed += int(answer.headers["Content-Length"])
            plain += len(answer.content)
    return {"sent": packed, "unpacked": plain}


@contextmanager
def at_once() -> Iterator[None]:
    """Have `requests` wait for nothing before it sends through a proxy, as it doesn't where there is none."""
    from requests.adapters import HTTPAdapter

    before: Callable[..., Any] = HTTPAdapter.proxy_manager_for
    option = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    HTTPAdapter.proxy_manager_for = functools.partialmethod(before, socket_options=option)
    try:
        yield
    finally:
        HTTPAdapter.proxy_manager_for = before


def _median(runs: list[Measured], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)


if __name__ == "__main__":
    main()
