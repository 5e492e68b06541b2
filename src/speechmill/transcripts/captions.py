# SPDX-License-Identifier: Apache-2.0
"""Captions beside the audio, by the rules that make training text of them.

`sidecar` takes captions as they are; this leaves out what can't be trusted, as KT-Speech-Crawler does (EMNLP 2018; its
steps and their order are in `Config`), and says in `warnings` how many each rule left out. Not a check of what is said:
that needs a second recogniser.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from speechmill import words
from speechmill.core.stage import Context
from speechmill.core.types import Source, Transcript, Utterance
from speechmill.formats import captions
from speechmill.transcripts import _caption_rules as rules
from speechmill.transcripts._entries import checked, other_language, reading

VERSION = "1"
REQUIRES = ()
LANGUAGES = None
SHORTHAND = "kind"  # {captions: manual} is {captions: {kind: manual}}

_ENDINGS = frozenset({".vtt", ".srt"})
_RECOGNISED = re.compile(r"\.[a-z0-9-]+-asr$")  # as the crawler names what a recogniser wrote


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The rules, in the order they are applied. KT: KT-Speech-Crawler has the same."""

    kind: Literal["manual", "automatic", "any"] = "manual"  # KT; automatic ones are a recogniser's, errors and all
    max_overlap_s: float | None = 0.04  # a frame of video; KT: 0. Who overlaps talks over another, or is badly timed
    music: bool = False  # keep captions with notes in them; KT drops them: singing isn't speech
    noise: Literal["drop", "strip", "keep"] = "drop"  # [laughs], (applause): KT strips them, but the noise stays
    strip_labels: bool = True  # "ANNA:", ">>" and dashes aren't said; KT
    charset: bool = True  # drop letters of scripts that the language isn't written in; KT: all but ASCII, for English
    min_words: int = 5  # KT: short captions are often signs, names, sounds
    merge_gap_s: float | None = 1.0  # seconds; KT: closer neighbours are one sentence, cut to fit the screen
    max_merged_s: float = 10.0  # seconds; KT
    min_s: float = 1.0  # seconds; KT
    max_s: float = 20.0  # seconds; KT


def model_digest(config: Config) -> str:
    """Name what parts words in this installation."""
    return words.identity()


class Backend:
    """Reads .vtt and .srt files and keeps what the rules let through."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def read(self, source: Source, duration: float) -> Transcript | None:
        """Return the first caption file of the kind asked for, filtered; None where there is none.

        A file is automatic where it has times inside its cues, as YouTube's automatic captions have: these roll, and
        are taken apart into lines with timed words. So is one that the crawler calls NAME.LANGUAGE-asr.vtt: other
        platforms' automatic captions look as if people had written them. Files in another language than the source's
        are passed over.
        Raises TranscriptError: broken-utf8, broken-sidecar, empty-transcript, unreadable-sidecar,
        times-outside-recording.
        """
        for sidecar in source.sidecars:
            path = Path(sidecar)
            if path.suffix.lower() not in _ENDINGS or other_language(sidecar, source.language):
                continue
            cues = self._cues(path)
            if cues is not None:
                return self._filtered(checked(sidecar, cues, duration), source.language)
        return None

    def _cues(self, path: Path) -> tuple[Utterance, ...] | None:
        """Return a file's captions, None where they are of the other kind."""
        rolling = reading(path, captions.read_rolling)
        is_automatic = rolling is not None or _RECOGNISED.search(path.stem) is not None
        if self._config.kind == ("manual" if is_automatic else "automatic"):
            return None
        return reading(path, captions.read) if rolling is None else rolling

    def _filtered(self, cues: Sequence[Utterance], language: str | None) -> Transcript:
        config, chosen = self._config, words.choose(language)
        dropped: Counter[str] = Counter()
        kept = sorted(cues, key=lambda cue: (cue.start or 0.0, cue.duration or 0.0))
        if config.max_overlap_s is not None:
            bad = {id(kept[i]) for i in rules.overlapping(kept, config.max_overlap_s)}
            kept = _sifted(kept, lambda cue: id(cue) not in bad, "overlap", dropped)
        kept = self._cleaned(kept, dropped)
        if config.charset:
            kept = _sifted(kept, lambda cue: not rules.is_foreign(cue, language), "charset", dropped)
        kept = _sifted(kept, lambda cue: rules.num_words(cue, chosen.split) >= config.min_words, "min_words", dropped)
        if config.merge_gap_s is not None:
            kept = rules.merged(kept, config.merge_gap_s, config.max_merged_s)
        kept = _sifted(kept, lambda cue: (cue.duration or 0.0) >= config.min_s, "min_s", dropped)
        kept = _sifted(kept, lambda cue: (cue.duration or 0.0) <= config.max_s, "max_s", dropped)
        return Transcript("captions", tuple(kept), _warnings(dropped, len(cues), chosen.notice))

    def _cleaned(self, cues: list[Utterance], dropped: Counter[str]) -> list[Utterance]:
        """Leave out music and noise, take off what isn't said."""
        if not self._config.music:
            cues = _sifted(cues, lambda cue: not rules.has_music(cue), "music", dropped)
        if self._config.noise == "drop":
            cues = _sifted(cues, lambda cue: not rules.has_noise(cue), "noise", dropped)
        elif self._config.noise == "strip":
            cues = [rules.without_noise(cue) for cue in cues]
        if self._config.strip_labels:
            cues = [rules.without_labels(cue) for cue in cues]
        return _sifted(cues, lambda cue: bool(cue.text), "empty", dropped)


def _sifted(cues: list[Utterance], keep: rules.Rule, name: str, dropped: Counter[str]) -> list[Utterance]:
    kept = [cue for cue in cues if keep(cue)]
    dropped[name] += len(cues) - len(kept)
    return kept


def _warnings(dropped: Counter[str], total: int, notice: str | None) -> tuple[str, ...]:
    """Say what was left out; captions that were joined before min_s and max_s count as one."""
    warnings = []
    if counts := ", ".join(f"{count} {name}" for name, count in dropped.items() if count):
        warnings.append(f"captions-dropped: of {total}: {counts}")
    if notice:
        warnings.append(f"no-word-segmenter: {notice}")
    return tuple(warnings)
