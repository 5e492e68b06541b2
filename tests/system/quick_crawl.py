# SPDX-License-Identifier: Apache-2.0
"""Crawl a corpus file as `speechmill crawl` does, but with short waits after failures: `quick_crawl.py CORPUS PACE`.

The faults of a replica heal at another try; a platform's need the minutes that a crawl waits otherwise.
"""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace

from speechmill import api
from speechmill.cli.crawling import CrawlBar
from speechmill.cli.output import print_json
from speechmill.crawl.corpus import job_of
from speechmill.crawl.plane import run_crawl


def main(file: str, pace: str) -> None:
    """Crawl and hand over."""
    corpus = api.corpus_of(Path(file))
    with CrawlBar() as bar:
        summary = run_crawl(replace(job_of(corpus), pace=float(pace)), bar)
    api.hand_over(corpus)
    print_json(summary)


if __name__ == "__main__":
    main(*sys.argv[1:])
