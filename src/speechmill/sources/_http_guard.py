# SPDX-License-Identifier: Apache-2.0
"""Which addresses may be asked: URLs by scheme, host and port, and what names resolve to by being public.

A pattern of a host is `name`, `*.name` (below it) or `*` (any), with `:port` where it isn't 443 (or 80), and with
`http://` before it where asking without TLS is allowed. What is checked here is what is asked: a request is made from
a Target, never from the text of a URL.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from msgspec import Struct

from speechmill.core.errors import FetchError

_PORTS = {"http": 80, "https": 443}
_MAX_CHARS = 8_000  # of a URL; servers take no longer ones
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # a last label of which makes inet_aton take the name for an address
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")  # where parsers of URLs disagree
# Names that never lead to a public site; a proxy would resolve them in its own network.
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "invalid")
_V6_PUBLIC = ipaddress.IPv6Network("2000::/3")  # mapped, compatible, NAT64, local and multicast ones lie outside
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carriers' NAT; metadata of one cloud
        "168.63.129.16/32",  # a cloud's platform channel, in public space
        "192.0.0.0/24",  # protocol assignments; metadata of one cloud
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: holds an IPv4 address
        "3fff::/20",
    )
)


class Pattern(Struct, frozen=True):
    """A host that may be asked."""

    name: str  # "example.org", "*.example.org" or "*"
    port: int | None = None  # beside 443, and 80 where plain
    plain: bool = False  # without TLS too

    def matches(self, host: str) -> bool:
        if self.name == "*":
            return True
        return host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name


class Target(Struct, frozen=True):
    """A URL that was checked, in parts."""

    scheme: str
    host: str  # lower case, ASCII, no trailing dot, no brackets
    port: int
    path: str  # with its query

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def shown(self) -> str:
        """The URL as messages have it: queries hold tokens."""
        path, question, _ = self.path.partition("?")
        return self.origin + path + ("?..." if question else "")


def read_pattern(text: str) -> Pattern:
    """Read a pattern of hosts.

    >>> read_pattern("http://*.example.org:8080")
    Pattern(name='*.example.org', port=8080, plain=True)
    """
    plain = text.startswith("http://")
    name = text.removeprefix("http://").removeprefix("https://").lower()
    host, colon, port = name.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or (":" in host and not host.startswith("[")):
        host, port = name, ""
    return Pattern(_ascii(host.strip("[]").removesuffix(".")), int(port) if port else None, plain)


def _ascii(name: str) -> str:
    """Write a name of another script as DNS has it."""
    from urllib3.util import parse_url

    if name.isascii():
        return name
    below = "*." if name.startswith("*.") else ""
    try:
        return below + (parse_url("https://" + name.removeprefix("*.")).host or name)
    except ValueError:
        return name  # matches no host


def check_url(url: str, patterns: Sequence[Pattern], *, secure: bool = False) -> Target:
    """Return what may be asked. secure: after an https answer; what says http is then asked by https.

    A host that is only to be asked with TLS is asked so, whatever scheme its URL has. Raises FetchError "permanent".
    """
    from urllib3.util import parse_url

    if len(url) > _MAX_CHARS:
        raise _refused("url-broken", f"a URL of {len(url)} characters")
    if _FORBIDDEN.search(url):
        raise _refused("url-broken", "a URL with control characters or backslashes")
    try:
        parsed = parse_url(url.strip())
    except ValueError as error:
        raise _refused("url-broken", "a URL that can't be read") from error
    if parsed.scheme not in _PORTS or not parsed.host:
        raise _refused("scheme-refused", f"only http and https are asked, not {str(parsed.scheme)[:20]!r}")
    if parsed.auth is not None:
        raise _refused("url-userinfo", f"a URL of {parsed.host} with a user name in it")
    host = check_host(parsed.host)
    pattern = _matching(host, patterns)
    scheme, port = parsed.scheme, parsed.port
    if scheme == "http" and (secure or not pattern.plain):
        scheme, port = "https", None if port == _PORTS["http"] else port
    target = Target(scheme, host, _PORTS[scheme] if port is None else port, _path(parsed.path, parsed.query))
    if target.port not in (_PORTS[scheme], pattern.port):
        raise _refused("port-refused", f"port {target.port} of {host}: only its own port and the one named are asked")
    return target


def _path(path: str | None, query: str | None) -> str:
    return (path or "/") + ("" if query is None else f"?{query}")


def _matching(host: str, patterns: Sequence[Pattern]) -> Pattern:
    """Return the pattern that allows most; addresses and local names need one that names them."""
    literal = ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))
    by_name = literal or "." not in host or host.rpartition(".")[2] in _LOCAL_NAMES
    found = [one for one in patterns if (one.name == host if by_name else one.matches(host))]
    if not found:
        raise _refused("host-refused", f"{host} is not one of the hosts that this source asks")
    if literal and not is_public(host):
        raise _refused("address-refused", f"{host} is not a public address")
    ports = [one.port for one in found if one.port is not None]
    return Pattern(host, ports[0] if ports else None, any(one.plain for one in found))


def check_host(host: str) -> str:
    """Return a host's name in its one spelling. Raises FetchError "permanent"."""
    name = host.lower()
    if name.startswith("["):
        return _address_v6(name[1:-1])
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("host-refused", f"{host[:60]!r} is not a host's name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as error:
            raise _refused("address-refused", f"{host!r} is an address in disguise") from error
    return name


def _address_v6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise _refused("host-refused", f"{text[:60]!r} is not an address") from error
    if address.scope_id is not None:
        raise _refused("address-refused", f"{text!r} is an address of one link")
    return str(address)


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public network's.

    >>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:93.184.215.14")
    (True, False, False)
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or parsed not in _V6_PUBLIC):
        return False
    if parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified or not parsed.is_global:
        return False
    return not any(parsed in network for network in _NOT_PUBLIC)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a host, once; every address it has must be public. Raises FetchError "net".

    Not "permanent": a network that answers every name with its own address (a hotel's) is no fault of the item.
    """
    try:
        addresses = [host] if _is_address(host) else look_up(host, port)
    except (OSError, UnicodeError) as error:
        raise FetchError("net", "name-unknown", f"{host} has no address: {error}") from error
    inside = [address for address in addresses if not is_public(address)]
    if inside or not addresses:
        detail = f"{host} resolves to {inside[0]}, which is not public" if inside else f"{host} has no address"
        raise FetchError("net", "address-refused", detail)
    return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(reason: str, detail: str) -> FetchError:
    return FetchError("permanent", reason, detail)
