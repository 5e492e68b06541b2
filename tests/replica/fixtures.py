# SPDX-License-Identifier: Apache-2.0
"""Fixtures with the replica, for conftest files. tests/conftest.py puts `tests` on sys.path; others just import:

    from replica.fixtures import replica, replica_server  # noqa: F401

Where the folder is not on sys.path yet (a script in benchmarks/, a conftest that is read alone), this comes before:

    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from replica.handle import Replica


@pytest.fixture(scope="session")
def replica_server() -> Iterator[Replica]:
    """Four egresses in one process, for all tests of this one. Ask for `replica` instead."""
    with Replica.start(ports=4) as running:
        yield running


@pytest.fixture
def replica(replica_server: Replica, monkeypatch: pytest.MonkeyPatch) -> Replica:
    """The replica as new, whose certificates this process and its children trust."""
    replica_server.control(restore=True)
    for name, value in replica_server.environment().items():
        monkeypatch.setenv(name, value)
    return replica_server
