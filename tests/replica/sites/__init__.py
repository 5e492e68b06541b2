# SPDX-License-Identifier: Apache-2.0
"""Sites that the replica answers for: every module here. Their interface: see messages.py; the smallest: example.py."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from replica.messages import Answer, Request

if TYPE_CHECKING:
    from replica.world import World

Site = Callable[[Request, "World"], Answer]


def load_sites() -> dict[str, Site]:
    """Return what answers for each pattern of hosts."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {pattern: module.answer for module in modules for pattern in module.HOSTS}


def site_of(host: str, sites: dict[str, Site]) -> Site | None:
    """Return what answers for a host: an exact name before a pattern, a longer pattern before a shorter."""
    if host in sites:
        return sites[host]
    fitting = [pattern for pattern in sites if pattern.startswith("*.") and host.endswith(pattern[1:])]
    return sites[max(fitting, key=len)] if fitting else None
