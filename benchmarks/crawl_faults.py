# SPDX-License-Identifier: Apache-2.0
"""Crawling under faults: the schedule of tests/replica/schedule.py, by this crawler and by a naive one.

2,000 videos of 8 channels, half of them under CC BY; 6 % never come, each for one of six reasons, and 18 % come at
another try. Four egresses: one healthy, one dead, one that asks for a person after 30 requests, one that answers
20 requests in ten seconds.

The naive crawler is a pool of threads with yt-dlp as it is: every video by a random egress, with yt-dlp's own retries,
a filter for the licence, and nothing learnt from what went before. Listings are asked again until one comes.

Rows: `success`, of the items that can be had, in percent; `seconds`; `after_bot_check`, the most requests that one
egress got after it had asked for a person; `permanent_again`, items that said for good that they can't be had and were
asked again; `unlicensed`, items stored that are not under CC BY.

Budgets and spacing are off, and what is waited for after a failure is multiplied by `pace`, for the replica's faults
heal at once and a platform's don't; a Retry-After is waited for in full. With `--pace 1` it is as the product waits:
after every one of the rate limits it rests for a quarter of a minute and more. Loopback, `latency_s` a request: not to
be set beside live figures.

    python benchmarks/crawl_faults.py [--channels 8] [--seed 7] [--pace 0.02]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import yaml
from msgspec import Struct, structs

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from replica import schedule
from replica.handle import Replica
from speechmill.crawl.corpus import job_of, open_catalog, queries_of
from speechmill.crawl.plane import Silent, run_crawl
from speechmill.engines.local import usable_cores
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.pipeline.spec import load

LATENCY_S = 0.05
EGRESSES = len(schedule.EGRESSES)
THREADS = usable_cores() * CrawlOptions().threads  # of the naive crawler: as many as ours has
LISTING_TRIES = 20
HOME = "https://www.youtube.com"


class Outcome(Struct, frozen=True):
    """What one crawler made of the schedule."""

    stored: frozenset[str]
    seconds: float
    requests: int
    after_bot_check: int
    asked_again: frozenset[str]  # videos whose page or player was asked more than once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=schedule.CHANNELS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pace", type=float, default=0.02, help="of the waits after failures; 1: the product's")
    parser.add_argument("--deadline", type=float, default=1200.0, help="seconds after which ours ends by itself")
    options = parser.parse_args()
    world = schedule.world(options.seed, options.channels)
    with Replica.start(ports=EGRESSES, latency_s=LATENCY_S, **world) as replica:
        os.environ.update(replica.environment())
        with tempfile.TemporaryDirectory() as folder:
            ours = crawled(replica, Path(folder), options)
        replica.control(reset=True)
        with tempfile.TemporaryDirectory() as folder:
            naive = Naive(replica, Path(folder), options.seed).crawl(options.channels)
    planned = schedule.videos(options.seed, options.channels)
    print(json.dumps({"rows": rows(ours, naive, planned, options.pace)}))


def rows(ours: Outcome, naive: Outcome, planned: list[schedule.Planned], pace: float) -> list[dict[str, Any]]:
    """Return what is published of both."""
    obtainable = {one.id for one in planned if one.outcome == "obtainable"}
    permanent = {one.id for one in planned if one.outcome == "permanent"}
    licensed = {one.id for one in planned if one.licensed}
    figures = {
        "success": ("% of obtainable items", lambda one: 100 * len(one.stored & obtainable) / len(obtainable)),
        "seconds": ("s", lambda one: one.seconds),
        "requests": ("requests an obtained item", lambda one: one.requests / max(1, len(one.stored))),
        "after_bot_check": ("requests to one egress", lambda one: one.after_bot_check),
        "permanent_again": ("items", lambda one: len(one.asked_again & permanent)),
        "unlicensed": ("items", lambda one: len(one.stored - licensed)),
    }
    conditions = {
        "videos": len(planned),
        "obtainable": len(obtainable),
        "latency_s": LATENCY_S,
        "pace": pace,
        "egresses": EGRESSES,
        "machine": f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}",
    }
    made = []
    for name, (unit, of) in figures.items():
        row = {"name": name, "unit": unit, "ours": round(of(ours), 3), "baseline": round(of(naive), 3)}
        ratio = {"ratio": round(row["ours"] / row["baseline"], 3) if row["baseline"] else None}
        made.append({**row, "baseline_name": "yt-dlp by random egresses", **ratio, **conditions})
        print(json.dumps(made[-1]), file=sys.stderr)
    return made


def crawled(replica: Replica, folder: Path, options: argparse.Namespace) -> Outcome:
    """Crawl with this crawler."""
    corpus = {
        "language": "vi",
        "sources": [{"youtube": {"channel": f"@channel{number}"}} for number in range(options.channels)],
        "store": "workspace",
        "transcript": None,
        "align": None,
        "diarize": None,
        "crawl": {
            "egress": [{"name": f"way{index}", "proxy": replica.proxy(index)} for index in range(EGRESSES)],
            "spacing_s": 0.0,
            "budgets": {"youtube": None},
        },
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(corpus))
    loaded = load(folder / "corpus.yaml")
    began = time.perf_counter()
    job = structs.replace(job_of(loaded, deadline_s=options.deadline), pace=options.pace)
    summary = run_crawl(job, Silent())
    seconds = time.perf_counter() - began
    print(summary, file=sys.stderr)
    with open_catalog(loaded) as catalog:
        stored = frozenset(one.description.id for one in catalog.hand_over(queries_of(loaded)))
    return outcome(replica, stored, seconds)


def outcome(replica: Replica, stored: frozenset[str], seconds: float) -> Outcome:
    """Return what a crawler made of it, with what the replica counted."""
    counted = replica.statistics()
    again = (name for name, counts in counted["videos"].items() if max(counts.values()) > 1)
    requests = sum(egress["requests"] for egress in counted["egress"])
    return Outcome(stored, seconds, requests, max(one["after_bot"] for one in counted["egress"]), frozenset(again))


class Naive:
    """A crawler of twenty lines, as many are."""

    def __init__(self, replica: Replica, folder: Path, seed: int) -> None:
        self._replica, self._folder = replica, folder
        self._random = random.Random(seed)
        self._local = threading.local()

    def crawl(self, channels: int) -> Outcome:
        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            listed = [name for names in pool.map(self._list, range(channels)) for name in names]
            found = list(pool.map(self._fetch, listed))
        seconds = time.perf_counter() - began
        return outcome(self._replica, frozenset(name for name in found if name), seconds)

    def _list(self, channel: int) -> list[str]:
        for _ in range(LISTING_TRIES):
            try:
                found = self._client(extract_flat=True).extract_info(f"{HOME}/@channel{channel}/videos")
                return [entry["id"] for entry in found["entries"]]
            except Exception:  # yt-dlp's errors share no base worth naming here: whatever it is, it is tried again
                continue
        return []

    def _fetch(self, name: str) -> str | None:
        try:
            info = self._client().extract_info(f"{HOME}/watch?v={name}")
        except Exception:  # it is given up, as scripts do that log and go on
            return None
        return name if info and info.get("requested_downloads") else None

    def _client(self, **options: Any) -> Any:
        """Return this thread's client of a random egress."""
        from yt_dlp import YoutubeDL
        from yt_dlp.utils import match_filter_func

        kept = self._local.__dict__.setdefault("clients", {})
        key = (self._random.randrange(EGRESSES), *options)
        if key not in kept:
            kept[key] = YoutubeDL(
                {
                    "quiet": True,
                    "no_warnings": True,
                    "noprogress": True,
                    "logger": Quiet(),
                    "proxy": self._replica.proxy(key[0]),
                    "compat_opts": {"no-certifi"},
                    "cachedir": False,
                    "format": "bestaudio",
                    "fixup": "never",
                    "paths": {"home": str(self._folder)},
                    "match_filter": match_filter_func("license *= 'Creative Commons'"),
                    **options,
                }
            )
        return kept[key]


class Quiet:
    """Hears what yt-dlp says."""

    def debug(self, message: str) -> None: ...

    info = warning = error = debug


if __name__ == "__main__":
    main()
