# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with every network that the backends name, started once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.ports import free_port

from speechmill import models
from speechmill.core.errors import MissingDependency
from speechmill.serving import tritonserver
from speechmill.serving.networks import served
from speechmill.serving.repository import Options, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program():
    """The server; a test of it is skipped, and says so, where there is none."""
    try:
        return tritonserver.find(ROOT / ".venv-triton" if (ROOT / ".venv-triton").is_dir() else None)
    except MissingDependency as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def networks():
    """What the backends can ask a server for, by name."""
    return {network.name: network for network in served(models.path)}


@pytest.fixture(scope="session")
def repository(tmp_path_factory, networks):
    """A repository of the python backend. Requests wait long for company, so that tests see them join."""
    folder = tmp_path_factory.mktemp("triton") / "repository"
    write(folder, list(networks.values()), Options(queue_delay_ms=50.0))
    return folder


@pytest.fixture(scope="session")
def triton(program, repository, tmp_path_factory):
    """The device of a running server."""
    port, log = free_port(), tmp_path_factory.mktemp("log") / "triton.log"
    with tritonserver.running(repository, program=program, port=port, log=log):
        yield f"triton://127.0.0.1:{port}"
