# SPDX-License-Identifier: Apache-2.0
"""What is done with all segments together: `deduplicate:`, `splits:` and `speakers:` of a corpus file.

None of it costs a stage that isn't needed: without `deduplicate.audio` no landmarks are computed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from speechmill.core.errors import ConfigError

Speakers = Literal["names", "pseudonyms"]
Share = Annotated[float, Meta(ge=0.0, lt=1.0)]


class Deduplicate(Struct, frozen=True, forbid_unknown_fields=True):
    """What counts as said twice. One is kept, the others are dropped and name it. Equal files are one in any case."""

    audio: bool = True  # recordings that sound alike: re-encoded, a little faster, with another intro
    text: float | None = None  # segments whose texts are so similar, 0..1 (Jaccard of words); null: they may repeat


class Splits(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the hours that are kept for development and test; the rest is for training.

    No speaker, channel or sound is in two of them; what was in one stays there.
    """

    dev: Share = 0.05
    test: Share = 0.05
    seed: int = 0
    text: float | None = (
        0.8  # a training segment whose text is so similar to one of dev or test is dropped; null: isn't
    )


def check_splits(splits: Splits | None) -> None:
    """Raise ConfigError where shares leave nothing to train on."""
    if splits is not None and splits.dev + splits.test >= 1.0:
        raise ConfigError(f"splits: dev {splits.dev} and test {splits.test} leave nothing to train on")
    if splits is not None and splits.text is not None and not 0.0 < splits.text <= 1.0:
        raise ConfigError(f"splits.text: {splits.text} is not a similarity; it is more than 0 and at most 1")


def check_deduplicate(asked: Deduplicate | None) -> None:
    """Raise ConfigError where a similarity can't be one."""
    if asked is not None and asked.text is not None and not 0.0 < asked.text <= 1.0:
        raise ConfigError(f"deduplicate.text: {asked.text} is not a similarity; it is more than 0 and at most 1")
