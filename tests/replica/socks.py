# SPDX-License-Identifier: Apache-2.0
"""The server's side of SOCKS5: RFC 1928 with CONNECT alone, RFC 1929 for a name and a password."""

from __future__ import annotations

import asyncio
import socket

VERSION = b"\x05"
RIGHT_CREDENTIALS, WRONG_CREDENTIALS = b"\x01\x00", b"\x01\x01"
_BOUND = b"\x00\x01" + bytes(6)  # reserved; address 0.0.0.0:0, which nobody needs
CONNECTED, UNREACHABLE = VERSION + b"\x00" + _BOUND, VERSION + b"\x04" + _BOUND
IPV4, NAME, IPV6 = 1, 3, 4


async def greet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, wants_credentials: bool
) -> tuple[str, str]:
    """Agree on a method after the version's byte; return the name and the password where they are wanted."""
    methods = await _counted(reader)
    if not wants_credentials:
        writer.write(VERSION + b"\x00")
        return "", ""
    if 2 not in methods:
        writer.write(VERSION + b"\xff")
        return "", ""
    writer.write(VERSION + b"\x02")
    await reader.readexactly(1)  # version of the sub-negotiation
    return (await _counted(reader)).decode(), (await _counted(reader)).decode()


async def destination(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """Read where a client wants to go: a host, and whether that is TLS (any port but 80)."""
    kind = (await reader.readexactly(4))[3]
    if kind == NAME:
        host = (await _counted(reader)).decode()
    elif kind == IPV4:
        host = socket.inet_ntop(socket.AF_INET, await reader.readexactly(4))
    else:
        host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))
    port = int.from_bytes(await reader.readexactly(2), "big")
    return host.lower(), port != 80


async def _counted(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])
