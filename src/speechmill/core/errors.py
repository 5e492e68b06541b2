# SPDX-License-Identifier: Apache-2.0
"""The tree of errors; each says what, where, the values, and the next command.

SpeechmillError
├── ConfigError            the corpus file or an option is wrong; nothing was started (exit 2)
│   ├── UnknownBackend     no file and no entry point of that name
│   ├── MissingDependency  a backend needs a package; the message holds the pip command
│   ├── MissingModel       a backend needs weights; the message holds the command that pulls them
│   ├── ServerUnavailable  no inference server answers, or one serves other weights
│   ├── UnsupportedLanguage  names the backends that know the language
│   └── Unsupported        an engine or orchestrator can't do what was asked
├── WorkspaceError         the workspace is held, of another version, unwritable or corrupt (exit 2)
│   ├── WorkspaceBusy      another live run holds it
│   ├── LostAudio          canonical audio is gone or broken; a run makes it again
│   └── LeakFound          something is in two splits of the dataset: it is not exported
├── BlobError              a store of objects does not give or take one
├── FormatError            a file that can't be read as what it claims to be
├── ProgramFailed          a program of the user's own, such as `mfa`, failed or wrote nothing
└── ItemError              one recording or segment can't be processed: becomes a Failed or a gap
    ├── AudioError         no, broken or too little audio
    ├── TranscriptError    a sidecar that can't be used
    ├── FetchError         a platform did not give what was asked; `kind` says what to do about it
    ├── Unscorable         a metric has no value for this segment
    └── Unalignable        text and audio can't be aligned
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechmill.core.remote import Kind


class SpeechmillError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(SpeechmillError):
    """The corpus file or an option is wrong."""


class UnknownBackend(ConfigError):
    """No backend of that name in the family."""


class MissingDependency(ConfigError):
    """A backend's package is not installed."""


class MissingModel(ConfigError):
    """A backend's weights are not here."""


class ServerUnavailable(ConfigError):
    """No inference server answers, or one serves other weights than ours."""


class UnsupportedLanguage(ConfigError):
    """A backend was asked for a language that it doesn't know."""


class Unsupported(ConfigError):
    """An engine, an orchestrator or a backend can't do what was asked."""


class WorkspaceError(SpeechmillError):
    """The workspace can't be used as it is."""


class WorkspaceBusy(WorkspaceError):
    """Another live run holds the workspace."""


class LostAudio(WorkspaceError):
    """Canonical audio that the dataset needs is gone or broken. `path`: the file."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}. Run the corpus again: it is made again from the original")
        self.path = path
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross the border of a process whole."""
        return LostAudio, (self.path, self.detail)


class LeakFound(WorkspaceError):
    """A speaker, a channel, a recording, a sound or a text is in two splits of the dataset."""


class FormatError(SpeechmillError):
    """A file is not what it claims to be. The message starts with its path, and a line where there is one."""


class BlobError(SpeechmillError):
    """A store of objects failed. permanent: False where another try may succeed."""

    def __init__(self, detail: str, *, permanent: bool = False) -> None:
        super().__init__(detail)
        self.permanent = permanent


class ProgramFailed(SpeechmillError):
    """A program of the user's own failed. reason: a short kebab-case class."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ItemError(SpeechmillError):
    """One recording or segment can't be processed; the run goes on.

    reason: a short kebab-case class, the same for every item that fails this way.
    permanent: False where another try may succeed (a dead disk, a dead worker).
    """

    def __init__(self, reason: str, detail: str = "", *, permanent: bool = True) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.permanent = permanent


class AudioError(ItemError):
    """No, broken or too little audio."""


class TranscriptError(ItemError):
    """A transcript that exists but can't be used."""


class FetchError(ItemError):
    """A platform, or the way to it, did not give what was asked.

    kind decides what the crawler does (speechmill.crawl.reactions):
    permanent   this item never comes: private, deleted, members only, DRM, age
    geo         not from this country
    incomplete  an answer with parts missing: asked again, never taken for the whole
    rate        too many requests: slow down, try later; `retry_after` seconds where the platform says so
    bot         the platform wants a person: stop using this egress and tell the operator
    net         the way there is broken: another egress may do
    format      the platform answers in a form that this version does not know
    """

    def __init__(self, kind: Kind, reason: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(reason, detail, permanent=kind == "permanent")
        self.kind: Kind = kind
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross the border of a process whole."""
        return _fetch_error, (self.kind, self.reason, self.detail, self.retry_after)


def _fetch_error(kind: Kind, reason: str, detail: str, retry_after: float | None) -> FetchError:
    return FetchError(kind, reason, detail, retry_after=retry_after)


class Unscorable(ItemError):
    """A metric has no value for this segment."""


class Unalignable(ItemError):
    """Text and audio of a segment can't be aligned."""
