# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that can't choose one themselves."""

from __future__ import annotations

import random
import socket

# Below those that Linux (from 32768) and others give to outgoing connections: such a one may take a port from under a
# server that starts slowly or starts again.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of this machine on which nothing listens; another process that asks is unlikely to get the same."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("a hundred ports were taken")
