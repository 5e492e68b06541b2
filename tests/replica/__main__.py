# SPDX-License-Identifier: Apache-2.0
"""`python tests/replica --ports 8801,8802`: run the replica until it is stopped or its parent is gone."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(path for path in sys.path if Path(path or ".").resolve() != HERE)]

from msgspec import convert  # noqa: E402

from replica.media import Library  # noqa: E402
from replica.server import Certificates, Proxy  # noqa: E402
from replica.settings import Settings  # noqa: E402
from replica.sites import load_sites  # noqa: E402
from replica.world import World  # noqa: E402


def main() -> None:
    """Parse arguments and serve."""
    parser = argparse.ArgumentParser(prog="replica", description=__doc__)
    parser.add_argument("--ports", default="0", help="one proxy each, with commas; 0: any free one")
    parser.add_argument("--media", type=Path, help="folder of audio files, with .vtt or .txt beside them")
    parser.add_argument("--world", default="{}", help="settings as JSON; see settings.py")
    parser.add_argument("--folder", type=Path, help="where the authority's certificate goes; default: a new one")
    parser.add_argument("--parent", type=int, help="process without which this one ends")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replica-") as made:
        ports = [int(port) for port in arguments.ports.split(",")]
        world = World(convert(json.loads(arguments.world), Settings), Library(arguments.media), len(ports))
        try:
            asyncio.run(serve(world, ports, arguments.folder or Path(made), arguments.parent))
        except KeyboardInterrupt:
            return


async def serve(world: World, ports: list[int], folder: Path, parent: int | None) -> None:
    """Open the proxies, say where they are in one line of JSON, and serve."""
    certificates, sites = Certificates(), load_sites()
    certificate = folder / "ca.pem"
    certificates.authority.cert_pem.write_to_path(certificate)
    proxies = [Proxy(world, index, sites, certificates) for index in range(len(ports))]
    servers = [
        await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=1 << 20, backlog=512)
        for proxy, port in zip(proxies, ports, strict=True)
    ]
    opened = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps({"ports": opened, "ca": str(certificate)}), flush=True)
    while parent is None or os.getppid() == parent:
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    main()
