# SPDX-License-Identifier: Apache-2.0
"""What yt-dlp's errors mean: a table from types, statuses and texts to kinds of FetchError.

Texts are YouTube's own (in English: the clients ask for it) or yt-dlp's. The first rule that fits counts: what may
pass comes before what is for good, and a text that no rule knows is `format`, never `permanent`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    NoSupportingHandlers,
    ProxyError,
    RequestError,
    SSLError,
    TransportError,
)
from yt_dlp.utils import DownloadError, GeoRestrictedError

from speechmill.core.errors import FetchError
from speechmill.core.remote import Kind
from speechmill.sources import _answers

# What a parser raises on an answer of another form than it expects.
UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Exchange(Struct, frozen=True):
    """One request and what came of it."""

    host: str
    path: str
    status: int | None  # None: no answer
    problem: str | None = None  # where there was none: "proxy", "tls", "timeout", "no-connection"
    retry_after: float | None = None  # seconds

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= 400


class HostRefused(RequestError):  # type: ignore[misc]  # yt-dlp has no types
    """A request to a host that is none of YouTube's was not sent."""


_TEXTS: tuple[tuple[Kind, str, str], ...] = (
    # What passes, or what another way may get.
    ("bot", "bot-check", r"not a bot|captcha|unusual traffic|ip is likely being blocked"),
    ("rate", "rate-limited", r"try again later|rate-limited by youtube|too many requests"),
    ("geo", "geo-blocked", r"(in|from) your (country|region|location)|geo.?restrict"),
    ("incomplete", "incomplete-data", r"incomplete (yt initial )?data"),
    ("incomplete", "no-answer", r"failed to extract any player response|unable to find selected tab"),
    ("incomplete", "broken-json", r"failed to parse json"),
    ("incomplete", "error-inside", r"(an|unknown|internal) error (has )?occurred|unknown error|backend error"),
    # What never comes.
    ("permanent", "drm", r"drm.protected"),
    ("permanent", "live-not-started", r"\b(premieres|premiere will begin|live event will begin)\b"),
    ("permanent", "live-not-started", r"\b(starts|begins?|scheduled) (in|for)\b"),
    ("permanent", "live-gone", r"live (stream )?recording is not available|recording of this live stream"),
    ("permanent", "live-gone", r"live event has ended"),
    ("permanent", "members-only", r"members.only|join this channel|to this channel's members"),
    ("permanent", "paid", r"requires payment|premium members|must (purchase|rent)|(purchase|rental) is required"),
    ("permanent", "age-restricted", r"confirm your age|age.restricted|inappropriate for some users|age.verification"),
    ("permanent", "private", r"private video|(video|playlist) is private"),
    ("permanent", "removed", r"copyright (claim|infringement|grounds)|contains content from"),
    ("permanent", "removed", r"violat(ing|ion|ed)|terms of service|community guidelines|hate speech|legal complaint"),
    (
        "permanent",
        "deleted",
        r"account (associated with this video )?has been (terminated|closed)|closed their .*account",
    ),
    ("permanent", "deleted", r"removed by the (uploader|user)|video has been removed"),
    ("permanent", "deleted", r"no longer (available|exists)|isn't available any ?more"),
    ("permanent", "deleted", r"^video unavailable(\. this video is unavailable)?\.?$"),
    ("permanent", "no-such-tab", r"channel does not have an? .*tab"),
    ("permanent", "no-such-listing", r"(playlist|channel|user|video|page) (does not|doesn't) exist"),
    ("permanent", "no-such-listing", r"does the playlist exist"),
    ("permanent", "no-such-listing", r"(playlist|channel) (was|is|has been) (removed|unavailable|terminated)"),
    ("permanent", "sign-in", r"only available (for|to) registered users|^sign in( if|\.| to view)"),
    # Said of videos that this client or this place does not get: for children, for television, by region.
    ("geo", "not-available-here", r"video is not available|not available on this (app|device)"),
)
_RULES = tuple((re.compile(pattern), kind, reason) for kind, reason, pattern in _TEXTS)
_ADVICE = re.compile(r"\s*(Use --cookies|Also see|For more information|It is recommended|; please report).*", re.DOTALL)


def classified(error: BaseException, exchanges: Sequence[Exchange] = ()) -> FetchError:
    """Say what an error of yt-dlp's means. exchanges: what the failed call sent, in order."""
    found = list(causes(error))
    for cause in found:
        if known := _by_type(cause, exchanges):
            return known
    innermost = found[-1]
    if isinstance(innermost, UNFORESEEN):
        return FetchError("format", "unforeseen-answer", f"{type(innermost).__name__} in yt-dlp")
    # The innermost has the bare text; those around it put names of extractors and ids before it.
    return by_text(str(getattr(innermost, "orig_msg", innermost)), exchanges)


def by_text(text: str, exchanges: Sequence[Exchange] = ()) -> FetchError:
    """Say what a text of YouTube's or yt-dlp's means."""
    plain = _plain(text)
    for rule, kind, reason in _RULES:
        if rule.search(plain.lower()):
            # yt-dlp only warns where the player's answer did not come, and then has no more to say than this.
            failure = by_exchange(exchanges) if reason == "no-answer" else None
            return failure or FetchError(kind, reason, plain)
    return FetchError("format", "unknown-message", plain)


def by_status(status: int, path: str = "", retry_after: float | None = None) -> FetchError:
    """Say what a status of HTTP's means. path: of the interface that gave it."""
    detail = f"HTTP {status}"
    if status in (429, 503):
        return FetchError("rate", "too-many-requests", detail, retry_after=retry_after)
    if status == 403:
        return FetchError("rate", "refused", detail, retry_after=retry_after)
    if status == 407:
        return FetchError("net", "proxy", detail)
    if status >= 500:
        return FetchError("net", "server-error", detail)
    if status == 404 and path.endswith(("/resolve_url", "/browse")):
        return FetchError("permanent", "no-such-listing", detail)
    return FetchError("format", "gone" if status in (404, 410) else "request-rejected", f"{detail} {path}".strip())


def by_exchange(exchanges: Sequence[Exchange]) -> FetchError | None:
    """Say what the last request that failed means; None where all were answered."""
    last = next((exchange for exchange in reversed(exchanges) if exchange.failed), None)
    if last is None:
        return None
    if last.status is None:
        return FetchError("net", last.problem or "no-connection", last.host)
    return by_status(last.status, last.path, last.retry_after)


def _by_type(error: BaseException, exchanges: Sequence[Exchange]) -> FetchError | None:
    if isinstance(error, FetchError):
        return error
    if isinstance(error, HostRefused):
        return FetchError("format", "host-refused", str(error))
    if isinstance(error, GeoRestrictedError):
        return FetchError("geo", "geo-blocked", _plain(error.orig_msg))
    if isinstance(error, HTTPError):
        return by_exchange(exchanges) or by_status(error.status)
    if isinstance(error, TransportError):
        last = exchanges[-1] if exchanges else None
        reason = last.problem if last and last.problem else problem(error)
        return FetchError("net", reason, last.host if last else "")
    if isinstance(error, NoSupportingHandlers):
        return FetchError("net", "proxy", "yt-dlp can't send a request this way: is the proxy's address right?")
    if isinstance(error, json.JSONDecodeError):
        return FetchError("incomplete", "broken-json", f"at character {error.pos}")
    return None


def problem(error: BaseException) -> str:
    """Name what is wrong with the way: in a word, without the addresses that texts of libraries hold."""
    if isinstance(error, ProxyError):
        return "proxy"
    if isinstance(error, (CertificateVerifyError, SSLError)):
        return "tls"
    if isinstance(error, IncompleteRead):
        return "cut-off"
    return "timeout" if "timed out" in str(error).lower() else "no-connection"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps, the outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        wrapped = current.exc_info[1] if isinstance(current, DownloadError) and current.exc_info else None
        cause = getattr(current, "cause", None)
        current = wrapped or (cause if isinstance(cause, BaseException) else None) or current.__cause__


def _plain(text: str) -> str:
    """Leave out advice meant for the command line, addresses, and what would move a terminal's cursor."""
    said = re.sub(r"^ERROR:\s*", "", _ADVICE.sub("", text.replace("’", "'").replace("\x1b[0;31m", "")))
    return (_answers.text(re.sub(r"\w+://\S+", "", said)) or "")[:300]
