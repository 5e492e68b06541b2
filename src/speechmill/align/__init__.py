# SPDX-License-Identifier: Apache-2.0
"""Forced alignment of words and phones: one backend is one file.

A backend that trains a model of the corpus is a module with two functions more, `trainer` and `train` (see
`Trainable`); its `Backend` then finds the model in `context.made`. One whose alignments have a score as a whole states
`SCORED = True`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from speechmill.core.columns import Column
from speechmill.core.stage import Samples
from speechmill.core.types import Alignment
from speechmill.text.spoken import Spoken

SCORE = "alignment_score"
SCORE_COLUMN = Column("confidence", (0.0, 1.0), True, "how sure the aligner is that the text is what is said there")


class Lesson(Struct, frozen=True):
    """An utterance to learn from."""

    key: str  # unique; names it whatever its file is called
    duration: float  # seconds
    read: Callable[[], Samples]  # 16 kHz, mono
    text: str
    language: str | None
    speaker: str  # unique too: two of one name are one


class Learnt(Struct, frozen=True):
    """What a trainer says of the model it made."""

    utterances: int
    hours: float
    speakers: int
    phones: int
    words: int  # different ones in the texts it was given
    guessed: int  # of them, in no lexicon and said by no rule: by a trained G2P, or as a loan
    oov: int  # of them, without a pronunciation
    left_out: Mapping[str, int] = {}  # reason -> utterances


class Texts(Protocol):
    """All texts that will be aligned, each with its language; read anew at every call."""

    def __call__(self) -> Iterable[tuple[str, str | None]]: ...


class Trainable(Protocol):
    """What a module has that trains a model of the corpus. Its options have `train_on`, `max_hours` and `seed`."""

    def trainer(self, config: Any, base: Path) -> Any:
        """Return what of the options decides which model is made; None where they name a finished one.

        base: the corpus file's folder, that paths are told from, so that a corpus may be moved.
        """
        ...

    def train(
        self,
        config: Any,
        lessons: Sequence[Lesson],
        texts: Texts,
        folder: Path,
        note: Callable[[str], None],
        threads: int,
    ) -> Learnt:
        """Make a model of these utterances and write it into a folder; equal input makes equal files, by any `threads`.

        Raises SpeechmillError where no model can be made of them.
        """
        ...


class AlignBackend(Protocol):
    """Finds when each given word is said."""

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align text to one segment; times count from the segment's start.

        samples: (num_samples,) float32, 16 kHz. said: the text's tokens, and the ways each may be said: words in
        lower case, without digits or signs. The result has one word a token, in order and named as written;
        `speechmill.text.spoken.fold` makes them of the spoken words' times.
        Raises Unalignable with the reason where that can't be done.
        """
        ...
