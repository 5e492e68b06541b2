# SPDX-License-Identifier: Apache-2.0
"""Keeps secrets out of what is said and stored: proxy passwords, cookies, keys of official interfaces.

Known values are replaced in whatever spelling they travel: as they are, percent-encoded, escaped in JSON, in base64
(Basic authorisation). What looks like credentials is replaced even where nobody told its value: the part of a URL
before its host, and headers that carry nothing else.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError

MASK = "***"
MIN_LENGTH = 4  # characters; shorter values stand inside ordinary words
MIN_USER_LENGTH = 6  # of a proxy's user: "user" and "crawl" are words, an account's number is not

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"<>@]+(?:@[^\s/?#'\"<>@]+)*(?=@)")
_HEADERS = re.compile(r"(?im)\b((?:proxy-)?authorization|cookie|set-cookie)(['\"]?\s*[:=]\s*)[^\r\n]+")


class Redactor:
    """Replaces secrets by a mask. Has no state that changes, and may be shared between threads and processes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """secrets: values, or URLs whose user and password are the secret."""
        spelt = {one for secret in secrets for value in _values(secret) for one in _spellings(value)}
        longest_first = sorted((one for one in spelt if len(one) >= MIN_LENGTH), key=lambda one: (-len(one), one))
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __repr__(self) -> str:
        return "Redactor()"

    def __call__(self, text: str) -> str:
        """Return a message without secrets."""
        return _HEADERS.sub(rf"\1\2{MASK}", self._masked(text))

    def value(self, value: T) -> T:
        """Return a struct, a mapping, a sequence or a plain value with every text in it redacted.

        Headers are left alone here: "Cookie: a recipe" is a title.
        """
        return _mapped(value, self._masked)  # type: ignore[no-any-return]

    def error(self, error: E) -> E:
        """Return an error of the same type and without secrets; without what caused it, which may hold them too."""
        clean = type(error).__new__(type(error), *_mapped(_arguments(error), self))
        clean.__dict__.update(_mapped(vars(error), self))
        clean.__dict__.pop("__notes__", None)
        return clean

    def filter(self) -> logging.Filter:
        """Return a filter that redacts every record of the handler or the logger that it is added to."""
        return _Filter(self)

    def _masked(self, text: str) -> str:
        return _USERINFO.sub(MASK, self._known.sub(MASK, text))


class _Filter(logging.Filter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        # In place: before Python 3.12 a filter can't hand on another record.
        record.msg, record.args = self._redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        record.exc_info = None
        for name, value in vars(record).items():
            vars(record)[name] = _mapped(value, self._redact)
        return True


def secret_of(
    *, env: str | None = None, file: str | None = None, base: Path | None = None, what: str = "secret"
) -> str:
    """Read a secret by reference: from an environment variable or from a file of one line.

    base: folder that a relative file starts at. what: named in messages. Raises ConfigError; never with the value.
    """
    if (env is None) == (file is None):
        raise ConfigError(f"{what}: name an environment variable or a file, and not both")
    if env is not None:
        return _from_environment(env, what)
    return _from_file((base or Path()) / Path(file or "").expanduser(), what)


def _from_environment(name: str, what: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"{what}: the environment variable {name} is not set. Set it with: export {name}=...")
    return _one_line(value, f"{what}: the environment variable {name}")


def _from_file(path: Path, what: str) -> str:
    try:
        value = path.read_bytes().decode("utf-8", "replace").strip()  # the message of a decoding error holds bytes
    except OSError as error:
        raise ConfigError(f"{what}: {path}: {error.strerror}") from error
    if "\ufffd" in value:
        raise ConfigError(f"{what}: {path}: not UTF-8")
    if not value:
        raise ConfigError(f"{what}: {path}: empty")
    return _one_line(value, f"{what}: {path}")


def _one_line(value: str, where: str) -> str:
    if not value.isprintable():
        raise ConfigError(f"{where}: holds more than one line, or control characters")
    return value


def _mapped(value: Any, clean: Callable[[str], str]) -> Any:
    """Return a value with every text in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, PurePath):
        return type(value)(clean(str(value)))
    if isinstance(value, bytes):
        return clean(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if isinstance(value, Struct):
        fields = {name: _mapped(getattr(value, name), clean) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {clean(str(value))}"
    if isinstance(value, Mapping):
        return {_mapped(key, clean): _mapped(one, clean) for key, one in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_mapped(one, clean) for one in value)
    return value


def _arguments(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, OSError) and error.filename is not None:  # which its args leave out
        return (error.errno, error.strerror, error.filename)
    return error.args


def _values(secret: str) -> Iterator[str]:
    """Yield what is secret of a secret: of a URL its user, its password, and both as they are sent."""
    if "://" not in secret:
        yield secret
        return
    userinfo = urlsplit(secret).netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    yield userinfo
    yield unquote(userinfo)
    yield from (password, unquote(password))
    if len(user) >= MIN_USER_LENGTH:
        yield from (user, unquote(user))


def _spellings(value: str) -> Iterator[str]:
    if not value:
        return
    encoded = value.encode()
    yield value
    for safe in ("", "/", "/:@!$&'()*+,;="):  # as urllib, requests and browsers leave signs as they are
        for spelt in (quote(value, safe=safe), quote_plus(value, safe=safe)):
            yield spelt
            yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), spelt)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    if len(encoded) >= MIN_LENGTH + 2:
        yield from _inside_base64(encoded)


def _inside_base64(value: bytes) -> Iterator[str]:
    """Yield how a value looks inside the base64 of something longer: three ways, by where in it the value starts."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + value).rstrip(b"=").decode()
        first = (0, 2, 3)[before]  # characters that hold bits of what stands before
        last = len(text) - (1 if (before + len(value)) % 3 else 0)  # and of what stands behind
        yield from (text[first:last], text[first:last].replace("+", "-").replace("/", "_"))
