# SPDX-License-Identifier: Apache-2.0
"""Where a catalog is, without what must not be said of it."""

from __future__ import annotations

from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from speechmill.core.errors import ConfigError

_SECRET_PARAMETERS = ("password", "sslpassword", "sslkey", "passfile")


class Address:
    """A database's URL. `shown` is what may be printed."""

    def __init__(self, address: str) -> None:
        """Read an address. Raises ConfigError, which doesn't repeat it."""
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):
            raise ConfigError(_ADVICE) from None
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
            raise ConfigError(f"catalog: no driver {url.drivername!r}. {_ADVICE}")
        if "@" in (url.host or "") + (url.database or ""):
            raise ConfigError(f"catalog: an @ after the host began. {_ADVICE}")
        self.url: URL = url
        self._secrets = _secrets(address, url)
        self.shown = self._show()

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    @property
    def path(self) -> str | None:
        """SQLite's file; None: it is a server's."""
        return self.url.database or "" if self.url.drivername.startswith("sqlite") else None

    def redacted(self, text: str) -> str:
        """Take the password out of a text."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _show(self) -> str:
        bare = self.url.difference_update_query(_SECRET_PARAMETERS)
        return bare.render_as_string(hide_password=True)


_ADVICE = (
    "A catalog is sqlite:///path or postgresql+psycopg://user@host/database; give the password in PGPASSWORD or "
    "~/.pgpass (within an address, write @ : / as %40 %3A %2F)"
)


def _secrets(address: str, url: URL) -> list[str]:
    found = [url.password] if url.password else []
    for name in _SECRET_PARAMETERS:
        values = url.query.get(name, ())
        found += [values] if isinstance(values, str) else list(values)
    before_host = address.partition("://")[2].rpartition("@")[0]
    written = before_host.partition(":")[2]
    found += [written, unquote(written)]
    return sorted({secret for secret in found if secret}, key=len, reverse=True)
