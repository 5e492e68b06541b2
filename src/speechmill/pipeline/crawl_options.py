# SPDX-License-Identifier: Apache-2.0
"""`crawl:` of a corpus file: how remote sources are asked. None of it changes what a recording's result is."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from msgspec import Meta, Struct

from speechmill.core import registry
from speechmill.core.errors import ConfigError


class Cookies(Struct, frozen=True, forbid_unknown_fields=True):
    """One jar of cookies for one platform, sent through one egress only. Opt-in."""

    egress: str = "direct"  # the name of the way that this account is always seen from
    file: str | None = None  # Netscape format; relative to the corpus file's folder
    browser: str | None = None  # or a browser to read them from: firefox, chromium, ...


class Egress(Struct, frozen=True, forbid_unknown_fields=True):
    """A way to the network. For reliability and location: more of them raise no budget."""

    name: str
    proxy: str | None = None  # http://host:port, socks5h://host:port; None: direct. No credentials here
    proxy_env: str | None = None  # environment variable that holds the address, with credentials
    proxy_file: str | None = None  # or a file that holds it
    max_items_per_hour: int | None = None  # of this way alone


class CrawlOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How remote sources are asked, and where what they give is kept."""

    originals: Annotated[str | None, Meta(description="Folder or s3://bucket/prefix; default: in the workspace")] = None
    audio: Annotated[
        Literal["copy", "reference"], Meta(description="reference: objects of an s3 source stay where they are")
    ] = "copy"
    retain: Annotated[
        Literal["forever", "until-normalised"], Meta(description="until-normalised: originals go once they are FLAC")
    ] = "forever"
    processes: int | None = None  # workers; None: one per core
    threads: int = 16  # items visited at once by each, which mostly wait: a realistic one takes 15 ms of computing
    budgets: dict[str, int | None] = {}  # items an hour by platform, in place of the platform's own; null: no limit
    spacing_s: float = 0.5  # seconds between two items through one egress, by jitter half to one and a half of it
    egress: tuple[Egress, ...] = (Egress("direct"),)
    proxies_off: tuple[str, ...] = ()  # platforms that are only asked directly, whatever `egress` lists
    cookies: dict[str, Cookies] = {}  # by platform
    caption_languages: tuple[str, ...] = ()  # captions to fetch; empty: in the corpus's language
    contact: str | None = None  # said in the User-Agent, so that an operator can complain: mailto: or https://
    max_bytes: int = 2 << 30  # of one media file
    max_failures: int = 5  # tries of one item, over all runs, before it is set aside for `crawl retry`
    api_key_env: dict[str, str] = {}  # environment variable with the key of a platform's official interface


def check(options: CrawlOptions) -> None:
    """Raise ConfigError where options contradict each other, or hold what must not stand in a file that is copied."""
    names = [way.name for way in options.egress]
    if not names:
        raise ConfigError("egress: at least one way is needed; leave it out for the direct one")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"egress: named twice: {', '.join(twice)}")
    for way in options.egress:
        if sum(place is not None for place in (way.proxy, way.proxy_env, way.proxy_file)) > 1:
            raise ConfigError(f"egress {way.name}: give one of proxy, proxy_env, proxy_file")
        if way.proxy is not None and "@" in way.proxy:
            raise ConfigError(f"egress {way.name}: no credentials here; put the address into proxy_env or proxy_file")
    for platform, jar in options.cookies.items():
        if jar.egress not in names:
            raise ConfigError(f"cookies of {platform}: no egress {jar.egress!r}; there are: {', '.join(names)}")
        if (jar.file is None) == (jar.browser is None):
            raise ConfigError(f"cookies of {platform}: give a file or a browser")
    _check_platforms(options)
    _check_numbers(options)


def _check_platforms(options: CrawlOptions) -> None:
    """A misspelt platform would leave another one with its own budget, or with proxies that nobody wanted."""
    named = {
        "budgets": options.budgets,
        "proxies_off": options.proxies_off,
        "cookies": options.cookies,
        "api_key_env": options.api_key_env,
    }
    known = registry.names("sources")
    for field, platforms in named.items():
        for platform in platforms:
            if platform not in known:
                near = difflib.get_close_matches(platform, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                raise ConfigError(f"{field}: no platform {platform!r}; {hint}")


def _check_numbers(options: CrawlOptions) -> None:
    at_least_0: dict[str, float | None] = {"spacing_s": options.spacing_s}
    at_least_0 |= {f"budgets.{platform}": budget for platform, budget in options.budgets.items()}
    at_least_0 |= {f"egress {way.name}: max_items_per_hour": way.max_items_per_hour for way in options.egress}
    at_least_1: dict[str, float | None] = {
        "threads": options.threads,
        "processes": options.processes,
        "max_bytes": options.max_bytes,
        "max_failures": options.max_failures,
    }
    for least, numbers in ((0, at_least_0), (1, at_least_1)):
        for field, number in numbers.items():
            if number is not None and number < least:
                raise ConfigError(f"{field}: {number} is less than {least}")
