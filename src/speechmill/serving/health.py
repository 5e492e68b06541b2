# SPDX-License-Identifier: Apache-2.0
"""What servers say about each network, for people and for a container's health check."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.core.errors import ServerUnavailable
from speechmill.models.kserve import Connection, connection, message
from speechmill.models.triton import CHECK_S, Away, digest_of, examine, parse
from speechmill.serving.networks import Network

READY = "ready"


class Health(Struct, frozen=True):
    """What a server says about a network."""

    server: str
    network: str
    state: str  # READY, or what is wrong
    rows: int = 0  # that it worked on since it started
    batches: int = 0  # in which it did; fewer than rows where requests were put together


def health(device: str, networks: Sequence[Network]) -> list[Health]:
    """Ask every server about every network."""
    return [_health(connection(host, 1), network) for host in parse(device).hosts for network in networks]


def _health(server: Connection, network: Network) -> Health:
    try:
        examine(server, network.name, digest_of(network.model))
        asked = message("ModelStatisticsRequest")(name=network.name)
        (counted,) = server.ask("ModelStatistics", asked, CHECK_S).model_stats
    except (Away, ServerUnavailable) as error:
        return Health(server.host, network.name, str(error))
    return Health(server.host, network.name, READY, counted.inference_count, counted.execution_count)
