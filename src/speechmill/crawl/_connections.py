# SPDX-License-Identifier: Apache-2.0
"""What a worker is told of its way to a platform: proxy, name, limits, and secrets read from where they are kept."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechmill.core import registry
from speechmill.crawl.cookies import read_jar
from speechmill.crawl.egress import address_of
from speechmill.crawl.redact import secret_of
from speechmill.pipeline.crawl_options import CrawlOptions, Egress
from speechmill.sources import Connection

if TYPE_CHECKING:
    from speechmill.crawl.plane import CrawlJob


def connection_of(job: CrawlJob, platform: str, egress: Egress, folder: Path, cookies: Path | None) -> Connection:
    """Return one way to a platform. Raises ConfigError where a secret that it needs is not where it should be."""
    variable = job.options.api_key_env.get(platform)
    return Connection(
        folder=folder,
        proxy=address_of(egress, job.base),
        cookies=cookies,
        user_agent=user_agent(job.options),
        max_bytes=job.options.max_bytes,
        pace=folder,
        api_key=secret_of(env=variable, what=f"crawl.api_key_env.{platform}") if variable else None,
    )


def jar_of(job: CrawlJob, platform: str, config: Any, folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Write the cookies of a platform where its workers copy them from; None: it is asked without.

    Returns also what the operator should know of them. Raises ConfigError.
    """
    cookies = job.options.cookies.get(platform)
    if cookies is None:
        return None, ()
    module = registry.load("sources", platform)
    hosts = module.hosts(config) if hasattr(module, "hosts") else module.HOSTS
    jar = read_jar(cookies, platform, hosts, time.time(), job.base)
    return jar.write(folder / "jar"), jar.notes


def user_agent(options: CrawlOptions) -> str:
    """Return the name that the crawl gives itself: what it is, and whom to complain to."""
    about = options.contact or "https://pypi.org/project/speechmill"
    return f"speechmill/{importlib.metadata.version('speechmill')} (+{about})"
