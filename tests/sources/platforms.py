# SPDX-License-Identifier: Apache-2.0
"""Backends of open platforms that talk to the replica."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from speechmill.core.errors import FetchError
from speechmill.core.remote import Ref
from speechmill.sources import Connection, RemoteBackend

if TYPE_CHECKING:
    from replica.handle import Replica


@contextmanager
def opened(name: str, replica: Replica, folder: Path, **options: Any) -> Iterator[RemoteBackend]:
    """Yield a backend behind the replica's first egress, whose `check` found nothing wrong."""
    module = importlib.import_module(f"speechmill.sources.{name}")
    config = module.Config(**options)
    module.check(config)
    backend: RemoteBackend = module.Backend(config, Connection(folder, proxy=replica.proxy(0)))
    try:
        yield backend
    finally:
        backend.close()


def listed(backend: RemoteBackend) -> list[list[Ref]]:
    """Return all pages of a listing."""
    page = backend.discover(None)
    pages = [list(page.refs)]
    while page.cursor is not None:
        page = backend.discover(page.cursor)
        pages.append(list(page.refs))
    return pages


def refused(function: Any, *arguments: Any) -> FetchError:
    """Return the error of a call that has to fail."""
    with pytest.raises(FetchError) as caught:
        function(*arguments)
    return caught.value
