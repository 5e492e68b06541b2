# SPDX-License-Identifier: Apache-2.0
"""The test server itself: it goes away with whoever started it."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.services.postgres import Server, postgres

__all__ = ["postgres"]
ROOT = Path(__file__).resolve().parents[2]
STARTS_ONE = """
import time
from tests.services.postgres import Server
server = Server()
print(server.port, server.folder, flush=True)
time.sleep(60)
"""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.system
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_server_whose_process_was_killed(postgres: Server, death: signal.Signals) -> None:
    command = [sys.executable, "-c", STARTS_ONE]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as victim:
        assert victim.stdout is not None
        port, folder = victim.stdout.readline().split()
        assert answers(int(port))
        victim.send_signal(death)
    end = time.monotonic() + 60
    while Path(folder).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not answers(int(port))


def test_a_restarted_server_is_on_the_same_port(postgres: Server) -> None:
    before = postgres.port
    postgres.restart()
    assert postgres.port == before
    assert answers(before)
    assert shutil.which("pg_ctl", path=str(postgres.programs)) is not None
