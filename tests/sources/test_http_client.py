# SPDX-License-Identifier: Apache-2.0
"""The client against a server that answers well, badly, and slowly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speechmill.core.errors import FetchError
from speechmill.sources import Connection
from speechmill.sources._http import Client

from .conftest import Site, answer


@pytest.fixture
def client(site: Site, connection: Connection) -> Iterator[Client]:
    made = Client(connection, [f"http://files.example:{site.port}"])
    yield made
    made.close()


def test_an_answer_comes_whole(site, client):
    site.pages["/a?b=1+2"] = answer(b"hello", content_type="text/plain")
    response = client.get(f"http://files.example:{site.port}/a", params={"b": "1 2"})
    assert (response.status, response.content, response.headers["content-type"]) == (200, b"hello", "text/plain")
