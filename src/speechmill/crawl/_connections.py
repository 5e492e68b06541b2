# SPDX-License-Identifier: Apache-2.0
"""What a worker is told: the call, and its way to a platform: proxy, name, limits, secrets from where they are kept."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from speechmill.core import registry
from speechmill.core.remote import Ref
from speechmill.crawl.cookies import read_jar
from speechmill.crawl.discovery import Followed, Listing
from speechmill.crawl.egress import address_of
from speechmill.crawl.redact import secret_of
from speechmill.crawl.workers import Asked
from speechmill.pipeline.crawl_options import CrawlOptions, Egress
from speechmill.sources import Connection

if TYPE_CHECKING:
    from speechmill.crawl.plane import CrawlJob, Ground


class Calls:
    """Makes the calls to one platform, each by the way that it is to go."""

    def __init__(self, ground: Ground, platform: str, listings: Sequence[Listing]) -> None:
        self._ground = ground
        self._platform = platform
        self._connections: dict[str, Connection] = {}
        visiting = getattr(registry.load("sources", platform), "visiting", lambda config: config)
        self._visit_configs = {one.id: visiting(one.config) for one in listings}
        self._cookies, notes = jar_of(ground.job, platform, listings[0].config, ground.folder.path)
        for note in notes:
            ground.note(note)

    def page(self, followed: Followed, egress: Egress) -> Asked:
        """Return the call for the next page of a listing."""
        asked = self._asked(followed.listing.config, egress, "discover")
        return structs.replace(asked, cursor=followed.cursor)

    def visit(self, followed: Followed, egress: Egress, ref: Ref) -> Asked:
        """Return the call for one item."""
        verb: Literal["visit", "describe"] = "visit" if self._ground.job.fetch else "describe"
        asked = self._asked(self._visit_configs[followed.listing.id], egress, verb)
        return structs.replace(asked, ref=ref)

    def _asked(self, config: Any, egress: Egress, verb: Literal["discover", "visit", "describe"]) -> Asked:
        job, options = self._ground.job, self._ground.job.options
        return Asked(
            backend=self._platform,
            config=config,
            connection=self._connection(egress),
            verb=verb,
            language=job.language,
            caption_languages=options.caption_languages,
            caption_kinds=job.caption_kinds,
            reference=options.audio == "reference",
        )

    def _connection(self, egress: Egress) -> Connection:
        if egress.name not in self._connections:
            self._connections[egress.name] = connection_of(
                self._ground.job, self._platform, egress, self._ground.folder.path, self._cookies
            )
        return self._connections[egress.name]


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
