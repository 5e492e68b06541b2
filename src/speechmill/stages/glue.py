# SPDX-License-Identifier: Apache-2.0
"""What every stage has in common: backends opened when first needed, and one item at a time.

What goes wrong with one item becomes its Failed, and the rest go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from msgspec import structs

from speechmill.core.errors import ConfigError, ItemError, SpeechmillError
from speechmill.core.files import raise_fatal
from speechmill.core.registry import Choice
from speechmill.core.stage import Context, Item, Patch, Resources
from speechmill.core.types import Failed
from speechmill.models.devices import resolve


class Glue:
    """Base of our stages: a subclass says what it reads and writes and how one item is worked."""

    name: str
    version: ClassVar[str] = "1"
    scope: ClassVar[Literal["recording", "corpus"]] = "recording"
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    resources: Resources = Resources()

    def __init__(self, choices: Sequence[Choice] = ()) -> None:
        self.choices = tuple(choices)
        self._context: Context | None = None
        self._backends: dict[int, Any] = {}

    def open(self, context: Context) -> None:
        """Remember the context; a backend is opened by the first item that needs it, once per worker."""
        self._context = context

    @property
    def context(self) -> Context:
        if self._context is None:
            raise RuntimeError(f"stage {self.name}: process() before open()")
        return self._context

    def backend(self, index: int = 0) -> Any:
        """Return the backend of a choice. Raises ConfigError where it can't be opened with its options and weights."""
        if index not in self._backends:
            self._backends[index] = self._opened(self.choices[index])
        return self._backends[index]

    def _opened(self, choice: Choice) -> Any:
        context = structs.replace(self.context, device=resolve(choice.device, choice.module))
        try:
            return choice.module.Backend(choice.config, context)
        except (ConfigError, ItemError, OSError):
            raise
        except Exception as error:  # libraries' errors share no base; and no recording was looked at yet
            what = str(error) if isinstance(error, SpeechmillError) else f"{type(error).__name__}: {error}"
            raise ConfigError(f"{choice.family} {choice.backend} can't be opened as configured: {what}") from error

    def process(self, items: Sequence[Item]) -> list[Patch | Failed]:
        """Work item by item. A full disk, missing weights or packages are raised; all else becomes a Failed."""
        return [self._guarded(item) for item in items]

    def work(self, item: Item) -> Patch:
        """Work one item. Raises ItemError."""
        raise NotImplementedError

    def close(self) -> None:
        self._backends.clear()

    def _guarded(self, item: Item) -> Patch | Failed:
        try:
            return self.work(item)
        except ItemError as error:
            return Failed(item.key, self.name, error.reason, error.detail, error.permanent)
        except ConfigError:
            raise  # true of every recording: the task may be tried again when it is mended
        except (
            Exception,
            SystemExit,
        ) as error:  # a backend's bug costs one recording, and shows its place
            raise_fatal(error)
            return _unexpected(self.name, item, error)


def _unexpected(stage: str, item: Item, error: BaseException) -> Failed:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return Failed(item.key, stage, f"error-{type(error).__name__}", f"{error} (in {places})"[:2000])
