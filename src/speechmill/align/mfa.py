# SPDX-License-Identifier: Apache-2.0
"""Forced alignment by the user's own Montreal Forced Aligner, with models the user has: a program on the PATH.

MFA takes seconds to start, so it is started once a recording, with all segments. What it leaves out is named
segment by segment; what can't be true (a word of minutes, other words than were given) is refused. It gives words no
scores. It is told the likeliest way a token is said; it doesn't hear which.
"""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct, structs

from speechmill.align import _mfa
from speechmill.align._mfa import Mfa
from speechmill.align._recording import Cut
from speechmill.core.errors import FormatError, ProgramFailed, Unalignable
from speechmill.core.files import digest, sha256_file
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Alignment, Word
from speechmill.formats import textgrid
from speechmill.text.spoken import Spoken, fold

VERSION = "1"
REQUIRES = ()
NOT_IDENTITY = ("model", "dictionary", "g2p", "program", "jobs")  # models count by their content

_SILENCES = frozenset(("", "sp", "sil", "<eps>", "<sil>"))
_UNKNOWN = "<unk>"
_LIMIT_S = 240.0  # for a recording of no length, ...
_LIMIT_PER_AUDIO_S = (
    8.0  # ... and so much more for a second of it: less than the stage has, or MFA would outlive its worker
)
_SLACK_S = 0.05  # what a word may outlast its audio by: a frame or two of MFA's


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which models, and what of MFA's answer is believed."""

    model: str  # an acoustic model: a zip, or a name that `mfa model download acoustic` has fetched
    dictionary: str  # the same for a dictionary
    g2p: str | None = None  # the same for a G2P model, which pronounces what the dictionary lacks
    program: str = "mfa"  # a name on PATH, or a path
    jobs: Annotated[int, Meta(ge=1)] = 1  # of one MFA; the workers are processes already
    beam: int | None = None  # width of MFA's search; None: its own
    retry_beam: int | None = None  # where the first found nothing; None: its own
    min_peak_dbfs: float = -66.0  # below it there is nothing to align
    max_word_s: float = 5.0  # a longer word swallowed what isn't in the text; MFA has given one of 298.8 s (its #966)


def rebase(config: Config, base: Path) -> Config:
    """Let files start where the corpus file is; names stay."""
    return structs.replace(
        config,
        model=_rebased(config.model, base),
        dictionary=_rebased(config.dictionary, base),
        g2p=_rebased(config.g2p, base) if config.g2p else None,
    )


def _rebased(name: str, base: Path) -> str:
    path = base / Path(name).expanduser()
    return str(path.resolve()) if path.is_file() else name


def prepare(config: Config) -> None:
    """See that the program and the models are here, before work starts. Raises MissingDependency, MissingModel."""
    _mfa.program(config.program)
    _models(config)


def model_digest(config: Config) -> str:
    """Hash of the models' files. Raises MissingModel."""
    return digest(*(sha256_file(path) for path in _models(config)))


def _models(config: Config) -> list[Path]:
    models = [_mfa.found("acoustic", config.model), _mfa.found("dictionary", config.dictionary)]
    return [*models, _mfa.found("g2p", config.g2p)] if config.g2p else models


class Backend:
    """Writes segments as a corpus of files, lets MFA align it, and reads what it wrote.

    Raises MissingModel.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._models = _models(config)
        self._mfa = Mfa(config.program, jobs=config.jobs)

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align one segment, with a start of MFA for it alone; see `align_all`."""
        (made,) = self.align_all([Cut(lambda: samples, said, language, None)])
        if isinstance(made, Unalignable):
            raise made
        return made

    def align_all(self, cuts: Sequence[Cut]) -> list[Alignment | Unalignable]:
        """Align the segments of a recording with one start of MFA.

        Reasons: "no-words", "silence", "no-output", "broken-output", "other-words", "absurd-word"; of all of them at
        once "mfa-failed", "mfa-timeout". Raises MissingDependency where there is no such program.
        """
        with tempfile.TemporaryDirectory(prefix="speechmill-mfa-corpus-") as folder:
            corpus, output = Path(folder, "corpus"), Path(folder, "output")
            speakers = {one: f"s{i}" for i, one in enumerate(sorted({cut.speaker or "" for cut in cuts}))}
            rows = [
                self._written(cut, corpus / speakers[cut.speaker or ""] / f"u{i:06d}") for i, cut in enumerate(cuts)
            ]
            if all(isinstance(row, Unalignable) for row in rows):
                return [row for row in rows if isinstance(row, Unalignable)]
            mfa = structs.replace(self._mfa, timeout_s=_limit_s([row for row in rows if isinstance(row, Path)]))
            try:
                grids = mfa.align(corpus, self._models[1], self._models[0], output, self._options())
            except ProgramFailed as error:
                raise Unalignable(error.reason, error.detail) from error
            return [
                row if isinstance(row, Unalignable) else self._read(cut, grids[row.relative_to(corpus).as_posix()], row)
                for cut, row in zip(cuts, rows, strict=True)
            ]

    def _options(self) -> list[str]:
        given = {"--beam": self._config.beam, "--retry_beam": self._config.retry_beam}
        options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
        return [*options, "--g2p_model_path", str(self._models[2])] if self._config.g2p else options

    def _written(self, cut: Cut, path: Path) -> Path | Unalignable:
        """Write a segment's audio and words; return their path without ending, or why it isn't MFA's business."""
        from speechmill.formats.audio import write_wav

        if not cut.said.words:
            return Unalignable("no-words", "the text has no letter and no digit")
        samples = cut.read()
        if not len(samples) or float(np.max(np.abs(samples))) < 10 ** (self._config.min_peak_dbfs / 20):
            return Unalignable("silence", f"no sample reaches {self._config.min_peak_dbfs:g} dBFS")
        write_wav(path.with_suffix(".wav"), samples, WORKING_HZ)
        path.with_suffix(".lab").write_text(" ".join(one.word for one in cut.said.words), encoding="utf-8")
        return path

    def _read(self, cut: Cut, grid: Path | None, corpus: Path) -> Alignment | Unalignable:
        if grid is None:
            return Unalignable("no-output", "MFA ended well and wrote nothing for this segment")
        duration = _duration(corpus)
        try:
            words, phones = _tiers(textgrid.read(grid))
            checked = self._checked([one.word for one in cut.said.words], words, duration)
        except FormatError as error:
            return Unalignable("broken-output", str(error).replace(str(grid), "MFA's TextGrid"))
        except Unalignable as error:
            return error
        doubts = ("oov",) if any(word.symbol == _UNKNOWN for word in words) or _spoken_noise(phones) else ()
        return Alignment(fold(cut.said, checked, duration), tuple(_inside(phones, duration)), doubts=doubts)

    def _checked(self, said: Sequence[str], words: Sequence[Word], duration: float) -> list[Word]:
        """Return the words as they were given. Raises Unalignable: "other-words", "absurd-word"."""
        heard = [word.symbol for word in words]
        same = len(said) == len(heard) and all(
            there.casefold() in (given.casefold(), _UNKNOWN) for given, there in zip(said, heard, strict=True)
        )
        if not same:
            given, timed = (repr(" ".join(row))[:200] for row in (said, heard))
            raise Unalignable("other-words", f"MFA was given {given} and timed {timed}")
        for word in words:
            if word.duration > self._config.max_word_s or word.end > duration + _SLACK_S:
                raise Unalignable(
                    "absurd-word", f"{word.symbol!r} from {word.start:.2f} to {word.end:.2f} s, of {duration:.2f} s"
                )
        inside = _inside(words, duration)
        return [Word(given, word.start, word.duration) for given, word in zip(said, inside, strict=True)]


def _limit_s(written: Sequence[Path]) -> float:
    return _LIMIT_S + _LIMIT_PER_AUDIO_S * sum(map(_duration, written))


def _duration(path: Path) -> float:
    """Return seconds of a segment's audio, by its path without ending."""
    with wave.open(str(path.with_suffix(".wav")), "rb") as file:
        return file.getnframes() / WORKING_HZ


def _tiers(grid: textgrid.TextGrid) -> tuple[list[Word], list[Word]]:
    """Return words and phones without silence; tiers are called `words`, or `<speaker> - words`."""
    found: dict[str, list[Word]] = {"words": [], "phones": []}
    for tier in grid.tiers:
        kind = tier.name.rpartition(" - ")[2].strip()
        if isinstance(tier, textgrid.IntervalTier) and kind in found:
            found[kind] += [one for one in tier.intervals if one.symbol.strip() not in _SILENCES]
    return found["words"], found["phones"]


def _inside(symbols: Sequence[Word], duration: float) -> list[Word]:
    ends = [(tick(min(one.start, duration)), tick(min(one.end, duration))) for one in symbols]
    return [Word(one.symbol, start, tick(end - start)) for one, (start, end) in zip(symbols, ends, strict=True)]


def _spoken_noise(phones: Sequence[Word]) -> bool:
    """Tell whether a word was aligned as spoken noise: MFA's phone of words that it can't pronounce."""
    return any(phone.symbol == "spn" for phone in phones)
