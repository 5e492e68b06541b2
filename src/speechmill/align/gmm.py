# SPDX-License-Identifier: Apache-2.0
"""Forced alignment by an acoustic model that is trained on the corpus itself, in any language.

The model, the pronunciations of all words and a list of those that have none lie in the workspace, in `models/<id>`.
Training and aligning are `speechmill.acoustic`; this is how the pipeline uses them. What is learnt of a speaker
stays in the recording, so that a result depends on nothing but the recording and the model.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from speechmill import g2p
from speechmill.align import Learnt, Lesson, Texts
from speechmill.align._pronouncing import Pronouncing, identity, is_file
from speechmill.align._recording import Cut
from speechmill.core.errors import ConfigError, Unalignable
from speechmill.core.files import digest, sha256_file, write_bytes
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Alignment
from speechmill.text.spoken import Spoken, fold, spoken
from speechmill.words import choose

if TYPE_CHECKING:
    from speechmill.acoustic.adapt import Adaptation
    from speechmill.acoustic.aligner import Aligner
    from speechmill.acoustic.types import Aligned, Example

VERSION = "1"
TRAINER = "1"  # raise it when the same utterances give another model: models are then made anew
REQUIRES = ("numba>=0.61",)
NOT_IDENTITY = ("lexicon", "g2p", "train_on", "model", "max_hours", "seed", "tonal")  # by digests, or by the pinned id
SCORED = True

MODEL, LEXICON, OOV, G2P = "model.npz", "lexicon.dict", "oov.tsv", "g2p.npz"
NONE = "none"  # for `g2p`: what the lexicon lacks is unknown speech
USED = "lexicon.json"  # which one was chosen by language: another installation might choose another one
TONAL = frozenset({"vi", "th", "lo", "zh", "yue", "my", "yo", "ig", "ha"})
_LONGEST_S = 90.0  # at once; a segment as long is a text without times, of a recording to be cut first
_ADAPT_S = 120.0  # of a speaker's speech in a recording that are listened to before it is aligned


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What words are made of, and what the model is trained on."""

    lexicon: str | None = None  # vi-hanoi, vi-saigon, vi-hue, cmudict, espeak, graphemes or a file; null: by language
    g2p: str | None = None  # says what a file lacks: a name, a G2P's file, or none; null: trained on it, loans guessed
    train_on: str | None = None  # folder of audio and texts to train on; null: the corpus itself
    model: str | None = None  # file of a finished model, of `speechmill train-acoustic`; null: one is trained
    max_hours: float = 10.0  # of speech that is trained on, drawn by lot; more of the same hardly moves a boundary
    seed: int = 0  # of the lot
    tonal: bool | None = None  # pitch tells phones apart; null: in languages that are known for tones
    min_score: float = 0.0  # 0..1; a segment's alignment with a lower score is refused as not said


def rebase(config: Config, base: Path) -> Config:
    """Let paths start at the corpus file's folder."""
    return structs.replace(
        config, **{name: str(base / Path(path).expanduser()) for name, path in _paths(config).items()}
    )


def _paths(config: Config) -> dict[str, str]:
    """Return the options that are paths; a lexicon and a G2P may have names too."""
    given = {name: getattr(config, name) for name in ("train_on", "model", "lexicon", "g2p")}
    return {name: path for name, path in given.items() if path and (name in ("train_on", "model") or is_file(path))}


def model_digest(config: Config) -> str:
    """Hash of what pronounces words, and of the model where a file is named; the pinned one counts by its id."""
    model = sha256_file(_existing("model", config.model)) if config.model else ""
    fallback = config.g2p if config.g2p in (None, NONE) else identity(config.g2p)
    return digest(identity(config.lexicon), fallback or "", model)


def trainer(config: Config, base: Path) -> Any:
    """Return what decides which model is made. A lexicon file counts by its name: a word more is no other model."""
    if config.model is not None:
        return None
    options = {name: getattr(config, name) for name in ("lexicon", "g2p", "train_on", "max_hours", "seed", "tonal")}
    return [TRAINER, options | {name: os.path.relpath(path, base) for name, path in _paths(config).items()}]


def train(
    config: Config, lessons: Sequence[Lesson], texts: Texts, folder: Path, note: Callable[[str], None], threads: int
) -> Learnt:
    """Train a model and write it with the words of all texts. Raises TrainingError where nothing can be learnt."""
    from speechmill.acoustic.model import save
    from speechmill.acoustic.train import Options
    from speechmill.acoustic.train import train as learn
    from speechmill.formats.lexicon import Lexicon

    languages = {primary(lesson.language) for lesson in lessons}
    language = languages.pop() if len(languages) == 1 else ""
    lexicon = config.lexicon or g2p.default(language)
    write_bytes(folder / USED, msgspec.json.encode({"lexicon": lexicon if config.lexicon is None else ""}))
    _train_g2p(config, folder, note)
    pronouncing = pronounced(config, lexicon, language, folder)
    examples, left_out = _examples(lessons, pronouncing)
    tonal = config.tonal if config.tonal is not None else language in TONAL
    options = Options(seed=config.seed, max_hours=config.max_hours, tonal=tonal, language=language)
    card = (model := learn(examples, Lexicon(pronouncing), options, report=_Progress(note), threads=threads)).card
    save(model, folder / MODEL)
    words = _write_words(folder, counted(texts), pronounced(config, lexicon, language, folder, card.phones))
    return Learnt(card.utterances, card.hours, card.speakers, len(card.phones), *words, left_out)


def _examples(lessons: Sequence[Lesson], pronouncing: Pronouncing) -> tuple[list[Example], Counter[str]]:
    """Return the utterances of which every word can be said, and how many were left out, by reason."""
    from speechmill.acoustic.types import Example

    examples, left_out = [], Counter[str]()
    for lesson in lessons:
        said = spoken(lesson.text, lesson.language, choose(lesson.language).split)
        if (reason := _unfit(said, pronouncing)) is not None:
            left_out[reason] += 1
        else:
            examples.append(Example(lesson.key, lesson.duration, lesson.read, said.ways, lesson.speaker))
    return examples, left_out


def _write_words(folder: Path, counts: Counter[str], pronouncing: Pronouncing) -> tuple[int, int, int]:
    """Write the words of all texts and those that nobody can say; return how many words, guessed and OOV."""
    from speechmill.formats.lexicon import Lexicon, write

    entries = {word: found for word in counts if (found := pronouncing.variants(word))}
    write(folder / LEXICON, Lexicon(entries))
    missing = [f"{word}\t{count}\n" for word, count in counts.items() if word not in entries]
    write_bytes(folder / OOV, "".join(["word\tcount\n", *missing]).encode())
    return len(counts), sum(map(pronouncing.is_guessed, entries)), len(missing)


def primary(language: str | None) -> str:
    """Return a language without its region; "" where nobody says which."""
    return (language or "").lower().split("-")[0]


def counted(texts: Texts) -> Counter[str]:
    """Count the words of all texts, as they are said, the commonest first."""
    found: Counter[str] = Counter()
    for text, language in texts():
        said = spoken(text, language, choose(language).split)
        found.update(word for ways in said.ways for way in ways for word in way)
    return Counter(dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))))


def _unfit(said: Spoken, pronouncing: Pronouncing) -> str | None:
    """Say why an utterance can't be trained on: audio without its phones teaches others wrong ones."""
    if not any(said.ways):
        return "no-words"
    if said.unspoken:
        return "unsayable-token"
    sayable = all(word in pronouncing for ways in said.ways for way in ways for word in way)
    return None if sayable else "oov"


class _Progress:
    """Tells a person how far training is, each part once."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._stage = ""

    def __call__(self, stage: str, share: float) -> None:
        if stage != self._stage:
            self._stage = stage
            self._note(f"acoustic model: {stage}")


def pronounced(
    config: Config, lexicon: str, language: str, folder: Path | None, phones: Sequence[str] | None = None
) -> Pronouncing:
    """Return what pronounces words by a lexicon's name or file.

    folder: of a model made from the corpus, where a G2P lies that was trained with it. Raises ConfigError, FormatError.
    """
    from speechmill.formats.lexicon import read

    if not is_file(lexicon):
        name = g2p.guessing(lexicon) if config.g2p is None else None
        guess = g2p.resolve(name, language=language) if name else None
        return Pronouncing(None, g2p.resolve(lexicon, language=language), phones, guess)
    asked = config.g2p
    if asked is None and folder is not None and (folder / G2P).exists():
        asked = str(folder / G2P)
    source = g2p.resolve(asked, language=language) if asked not in (None, NONE) else None
    return Pronouncing(read(Path(lexicon)), source, phones)


def _train_g2p(config: Config, folder: Path, note: Callable[[str], None]) -> None:
    """Train a G2P on the lexicon's file, where one is to say what it lacks; of too few words none is made."""
    from speechmill.formats.lexicon import read
    from speechmill.g2p import joint

    if config.lexicon is None or not is_file(config.lexicon) or config.g2p is not None:
        return
    given = read(Path(config.lexicon))
    if joint.can_learn(given):
        joint.save(joint.train(given), folder / G2P)
    else:
        note(f"{config.lexicon} is too small to learn from: words that it lacks are aligned as unknown speech")


class Backend:
    """Aligns with the model made from the corpus, or with a finished one."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._path = _existing("model", config.model) if config.model else context.made and context.made / MODEL
        self._aligner: Aligner | None = None

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align one segment by itself, of a speaker of whom nothing else is known.

        Raises Unalignable: no-model, other-language, and what speechmill.acoustic gives.
        """
        return self._align(samples, said, language, None)

    def align_all(self, cuts: Sequence[Cut]) -> list[Alignment | Unalignable]:
        """Align a recording's segments, each after listening to its speaker."""
        voices = {name: self._adaptation(cuts, name) for name in sorted({cut.speaker or "" for cut in cuts})}
        return [self._tried(cut, voices[cut.speaker or ""]) for cut in cuts]

    def _tried(self, cut: Cut, voice: Adaptation | None) -> Alignment | Unalignable:
        try:
            return self._align(cut.read(), cut.said, cut.language, voice)
        except Unalignable as error:
            return error

    def _align(self, samples: Samples, said: Spoken, language: str | None, voice: Adaptation | None) -> Alignment:
        if not any(said.ways):
            raise Unalignable("no-words", "the text has no letter and no digit")
        aligner = self._opened()
        self._check(aligner, language)
        if len(samples) > _LONGEST_S * WORKING_HZ:
            raise Unalignable(
                "long-without-times", f"{len(samples) / WORKING_HZ:.0f} s; say {{sidecar: {{place: graphemes}}}}"
            )
        said = _with_numbers(said)
        found = aligner.align(samples, said.ways, speaker=voice)
        if found.score < self._config.min_score:
            raise Unalignable("poor-match", f"score {found.score:.2f} is below {self._config.min_score:g}")
        return _folded(said, found, len(samples))

    def _adaptation(self, cuts: Sequence[Cut], speaker: str) -> Adaptation | None:
        """Listen to one speaker, in an order that doesn't depend on the clock; None where there is no model."""
        from speechmill.acoustic.adapt import adaptation
        from speechmill.acoustic.types import Example

        if self._path is None:
            return None
        mine = [(digest(str(i)), cut) for i, cut in enumerate(cuts) if (cut.speaker or "") == speaker]
        examples, seconds = [], 0.0
        for key, cut in sorted(mine, key=lambda pair: pair[0]):
            if seconds >= _ADAPT_S:
                break
            samples = cut.read()
            seconds += len(samples) / WORKING_HZ
            examples.append(Example(key, len(samples) / WORKING_HZ, partial(_same, samples), cut.said.ways, speaker))
        return adaptation(self._opened(), examples)

    def _opened(self) -> Aligner:
        """Open the model with the words it was made for. Raises Unalignable("no-model"), FormatError."""
        from speechmill.acoustic.aligner import Aligner
        from speechmill.acoustic.model import load
        from speechmill.formats.lexicon import Lexicon

        if self._path is None:
            raise Unalignable("no-model", "the corpus has too little speech with text to train one")
        if self._aligner is None:
            model, folder = load(self._path), None if self._config.model else self._path.parent
            language = model.card.language
            lexicon = self._config.lexicon or _used(folder) or g2p.default(language)
            words = pronounced(self._config, lexicon, language, folder, model.card.phones)
            self._aligner = Aligner(model, Lexicon(words))
        return self._aligner

    def _check(self, aligner: Aligner, language: str | None) -> None:
        known = aligner.model.card.language
        if known and language and primary(language) != known:
            raise Unalignable("other-language", f"the model knows {known!r}, the segment is in {language!r}")


def _used(folder: Path | None) -> str:
    """Return the lexicon that a model was made with, where its language chose it."""
    return msgspec.json.decode((folder / USED).read_bytes(), type=dict[str, str])["lexicon"] if folder else ""


def _with_numbers(said: Spoken) -> Spoken:
    """Let numbers that no rule can say be heard as unknown speech: they are said, and must not fall to a neighbour."""
    ways = tuple(
        ways or (((token.symbol,),) if any(character.isnumeric() for character in token.symbol) else ())
        for token, ways in zip(said.tokens, said.ways, strict=True)
    )
    return structs.replace(said, ways=ways)


def _same(samples: Samples) -> Samples:
    return samples


def _existing(option: str, name: str) -> Path:
    if not Path(name).is_file():
        raise ConfigError(f"align.gmm.{option}: {name} is no file. Make one with: speechmill train-acoustic")
    return Path(name)


def _folded(said: Spoken, found: Aligned, num_samples: int) -> Alignment:
    """Bring words' times onto the tokens as written; a token without a way to be said has what is left."""
    words = fold(said, found.words, num_samples / WORKING_HZ, found.chosen)
    phones = tuple(phone for word in found.phones for phone in word)
    doubts = [warning.partition(":")[0] for warning in found.warnings]
    doubts += ["unsayable-token"] if said.unspoken else []
    return Alignment(words, phones, found.score, tuple(dict.fromkeys(doubts)))
