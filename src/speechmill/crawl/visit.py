# SPDX-License-Identifier: Apache-2.0
"""What a worker does with one call: a listing's page, or an item described, decided, and fetched where it may be.

Everything of an item happens in one visit, so that no request for it is sent twice. What was learnt before something
failed is kept: an item whose media did not come is described all the same.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from speechmill.core.errors import AudioError, FetchError
from speechmill.core.files import FATAL_ERRNOS
from speechmill.core.remote import Caption, Description, Fetched
from speechmill.crawl.policy import asks_again, decide, measured
from speechmill.crawl.workers import Answer, Asked, wanted_of
from speechmill.sources import RemoteBackend

DISK = "disk-full"  # reason of what no other item will do better at
MAX_DETAIL = 500  # characters of an error that are kept

_NO_CAPTIONS = ("permanent", "geo")  # captions that never come do not keep the media away

Redact = Callable[[str], str]
Began = Callable[[float | None], None]  # media of so many seconds is being fetched from now on


def answer_to(backend: RemoteBackend, asked: Asked, redact: Redact, began: Began = lambda _: None) -> Answer:
    """Do what is asked, once. What goes wrong is in the answer, without secrets; nothing is raised."""
    visit = _Visit(backend, asked, began)
    requests, started = backend.num_requests, time.perf_counter()
    error: FetchError | None = None
    try:
        visit.go()
    except (Exception, SystemExit) as raised:  # libraries' errors share no base, and a worker outlives them all
        error = fault(raised, redact)
    return structs.replace(
        visit.answer,
        error=error,
        requests=backend.num_requests - requests,
        seconds=time.perf_counter() - started,
    )


def fault(error: BaseException, redact: Redact) -> FetchError:
    """Return what went wrong as a FetchError whose text holds no secret."""
    if isinstance(error, FetchError):
        detail = redact(error.detail)[:MAX_DETAIL]
        return FetchError(error.kind, redact(error.reason)[:MAX_DETAIL], detail, retry_after=error.retry_after)
    if isinstance(error, OSError) and error.errno in FATAL_ERRNOS:
        return FetchError("net", DISK, redact(str(error))[:MAX_DETAIL])
    return FetchError("format", f"error-{type(error).__name__}", redact(str(error))[:MAX_DETAIL])


class _Visit:
    """One call on its way; `answer` holds what is known so far."""

    def __init__(self, backend: RemoteBackend, asked: Asked, began: Began) -> None:
        self._backend = backend
        self._asked = asked
        self._began = began
        self.answer = Answer()

    def go(self) -> None:
        if self._asked.verb == "discover":
            self.answer = Answer(page=self._backend.discover(self._asked.cursor))
            return
        if self._asked.ref is None:
            raise ValueError(f"{self._asked.verb} without a ref")
        description = self._backend.describe(self._asked.ref)
        decision = decide(wanted_of(self._asked.config), description, self._asked.language)
        self.answer = Answer(description=description, decision=decision)
        if asks_again(decision):
            raise FetchError("incomplete", decision.reason, decision.detail)
        if decision.verdict == "accept" and self._asked.verb == "visit":
            self._media(description)

    def _media(self, description: Description) -> None:
        self._began(description.duration)
        captions = self._captions(description)
        fetched = self._fetched(description)
        duration = _duration(fetched.path)
        decision = measured(wanted_of(self._asked.config), duration)
        if decision.verdict == "accept":
            stays = self._reference(description)
            self.answer = structs.replace(
                self.answer, captions=captions, fetched=fetched, duration=duration, reference=stays
            )
        else:
            fetched.path.unlink(missing_ok=True)
            self.answer = structs.replace(self.answer, decision=decision)

    def _reference(self, description: Description) -> str | None:
        """Return where the media stays, if that is asked for and the source has objects that can be noted."""
        find = getattr(self._backend, "reference", None) if self._asked.reference else None
        return find(description) if find is not None else None

    def _captions(self, description: Description) -> tuple[Caption, ...]:
        if not self._asked.caption_kinds or not description.tracks:
            return ()
        languages = self._asked.caption_languages or ((self._asked.language,) if self._asked.language else ())
        try:
            return tuple(self._backend.captions(description, languages, self._asked.caption_kinds))
        except FetchError as error:
            if error.kind not in _NO_CAPTIONS:
                raise
            return ()

    def _fetched(self, description: Description) -> Fetched:
        """Fetch the media, and move it out of the worker's own folder, which goes when the worker does."""
        connection = self._asked.connection
        fetched = self._backend.fetch(description)
        if fetched.size > connection.max_bytes:
            fetched.path.unlink(missing_ok=True)
            raise FetchError("permanent", "too-large", f"{fetched.size} bytes; {connection.max_bytes} are allowed")
        kept = connection.folder / f"{uuid.uuid4().hex}.{_safe(fetched.extension)}"
        fetched.path.replace(kept)
        return structs.replace(fetched, path=kept)


def _duration(path: Path) -> float | None:
    """Return what the container states, in seconds; what can't be read is the decoder's to refuse, with its reason."""
    from speechmill.formats.audio import probe

    try:
        return probe(path).duration
    except AudioError:
        return None


def _safe(extension: str) -> str:
    """Return an extension that can't name another folder."""
    return "".join(letter for letter in extension if letter.isascii() and letter.isalnum())[:8] or "bin"
