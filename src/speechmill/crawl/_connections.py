# SPDX-License-Identifier: Apache-2.0
"""What a worker is told of its way to a platform: proxy, name, limits, and secrets read from where they are kept."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

from speechmill.crawl.egress import address_of
from speechmill.crawl.redact import secret_of
from speechmill.pipeline.crawl_options import CrawlOptions, Egress
from speechmill.sources import Connection

if TYPE_CHECKING:
    from speechmill.crawl.plane import CrawlJob


def connection_of(job: CrawlJob, platform: str, egress: Egress, folder: Path) -> Connection:
    """Return one way to a platform. Raises ConfigError where a secret that it needs is not where it should be."""
    variable = job.options.api_key_env.get(platform)
    return Connection(
        folder=folder,
        proxy=address_of(egress, job.base),
        user_agent=user_agent(job.options),
        max_bytes=job.options.max_bytes,
        api_key=secret_of(env=variable, what=f"crawl.api_key_env.{platform}") if variable else None,
    )


def user_agent(options: CrawlOptions) -> str:
    """Return the name that the crawl gives itself: what it is, and whom to complain to."""
    about = options.contact or "https://pypi.org/project/speechmill"
    return f"speechmill/{importlib.metadata.version('speechmill')} (+{about})"
