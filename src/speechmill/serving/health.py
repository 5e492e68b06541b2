# SPDX-License-Identifier: Apache-2.0
"""What servers say about each network, for people and for a container's health check."""

from __future__ import annotations

from collections.abc import Sequence

from speechmill.core.errors import ServerUnavailable
from speechmill.models.kserve import connection
from speechmill.models.triton import Away, digest_of, examine, parse
from speechmill.serving.networks import Network

READY = "ready"


def health(device: str, networks: Sequence[Network]) -> list[tuple[str, str, str]]:
    """Return server, network and "ready" or what is wrong, for each pair of them."""
    return [(host, network.name, _state(host, network)) for host in parse(device).hosts for network in networks]


def _state(host: str, network: Network) -> str:
    try:
        examine(connection(host, 1), network.name, digest_of(network.model))
    except (Away, ServerUnavailable) as error:
        return str(error)
    return READY
