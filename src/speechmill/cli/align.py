# SPDX-License-Identifier: Apache-2.0
"""`speechmill align`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.output import StageBar, check_writable, hours, print_json, print_table, shown
from speechmill.core.errors import ConfigError

if TYPE_CHECKING:
    from speechmill.acoustic.model import AcousticModel
    from speechmill.alignment.corpus import Corpus, Layout
    from speechmill.alignment.lexica import Prepared
    from speechmill.alignment.outputs import Outputs
    from speechmill.alignment.summary import Summary

MODEL = "acoustic-model.npz"  # in OUT, where one was trained
LEAST = 10  # least certain words that are shown
LITTLE_MINUTES = 5.0  # of speech: models of less find some words where they are not


def layout_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that reads a corpus."""
    options = (
        click.option("--language", help="ISO 639 code: how numbers are said, and where words end in Thai or Chinese."),
        click.option(
            "--speakers",
            default="folder",
            show_default=True,
            help="folder, prefix:N (letters of the file's name), file, or one. Tiers name their speakers themselves.",
        ),
        click.option(
            "--tier",
            "tiers",
            multiple=True,
            metavar="GLOB",
            help="Tiers that hold the utterances, by name, or type:GLOB by ELAN's linguistic type. Repeatable.",
        ),
        click.option(
            "--g2p", flag_value="train", default=None, help="Predict what LEXICON lacks by a model trained on it."
        ),
        click.option(
            "--g2p-model", "g2p", metavar="FILE", default=None, help="Predict it by a model of `speechmill train-g2p`."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def check_installed() -> None:
    """Raise MissingDependency where the packages are not there that train and align."""
    from speechmill.core import registry

    registry.require("align", "gmm")


@click.command("align")
@click.argument("paths", nargs=-1, required=True, metavar="CORPUS [LEXICON] OUT | FILE.wav FILE.txt")
@click.option("--lexicon", help="The lexicon, where FILE.wav FILE.txt is aligned: a file, or a name of `list g2p`.")
@click.option("--out", type=click.Path(path_type=Path), help="Where FILE.TextGrid goes; default: beside FILE.wav.")
@click.option("--model", type=click.Path(path_type=Path, dir_okay=False), help="An acoustic model; else one is made.")
@layout_options
@click.option("--format", "formats", default="textgrid", show_default=True, help="textgrid,json,ctm,csv,eaf")
@click.option("--confidence/--no-confidence", default=None, help="A tier with each word's score; on for one file.")
@click.option("--syllables", is_flag=True, help="A tier of syllables.")
@click.option("--tonal", is_flag=True, help="Train with pitch, for languages with tones.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of training.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: one per core.")
@click.option("--overwrite", is_flag=True, help="For one file: replace a TextGrid that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    paths: tuple[str, ...],
    lexicon: str | None,
    out: Path | None,
    model: Path | None,
    g2p: str | None,
    language: str | None,
    speakers: str,
    tiers: tuple[str, ...],
    formats: str,
    confidence: bool | None,
    syllables: bool,
    tonal: bool,
    seed: int,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Time the words and phones of CORPUS, a folder of audio with texts beside it, or of one file.

    LEXICON is a file, or the name of a backend that pronounces words (`speechmill list g2p`); without it letters are
    taken for phones. OUT gets what CORPUS has folders, and alignment.json: a score or a reason for each utterance.

    \b
    speechmill align talk.wav talk.txt
    speechmill align ./corpus lexicon.dict ./aligned
    speechmill align ./corpus lexicon.dict ./aligned --model model.npz --g2p --format textgrid,json
    """
    check_installed()
    from speechmill.alignment.corpus import Layout

    one_file = Path(paths[0]).is_file()
    corpus_name, lexicon, folder = _arguments(paths, lexicon, out, one_file)
    layout = Layout(speakers, tiers, None if one_file else folder)
    corpus = _corpus(paths, layout, one_file)
    made = _outputs(formats, confidence if confidence is not None else one_file)
    if model is not None and tonal:
        raise ConfigError("--tonal is for training, and --model is trained already: leave one of them out")
    if one_file and not overwrite:
        _spare(corpus, folder, made)
    with StageBar() as bar:
        work = _Work(corpus, corpus_name, lexicon, g2p, language, threads or 0, bar)
        check_writable(folder)
        chosen = work.model(model, folder, tonal, seed, keep=not one_file)
        summary = work.align(chosen, folder, made, syllables, write=not one_file)
    if as_json:
        print_json(summary)
    else:
        _print(summary, folder, corpus, one_file)
    return 1 if summary.failed else 0


def _arguments(
    paths: tuple[str, ...], lexicon: str | None, out: Path | None, one_file: bool
) -> tuple[str, str | None, Path]:
    """Return the corpus' name, the lexicon and the folder that results go to."""
    if one_file:
        if len(paths) != 2:
            raise ConfigError(f"{paths[0]} is a file: name its text too, as in: speechmill align talk.wav talk.txt")
        return paths[0], lexicon, out or Path(paths[0]).parent
    if len(paths) not in (2, 3) or (len(paths) == 3 and lexicon) or out is not None:
        raise ConfigError("name CORPUS OUT, or CORPUS LEXICON OUT; --out and --lexicon are for one file with its text")
    folder = Path(paths[-1])
    if folder.resolve() == Path(paths[0]).resolve():
        raise ConfigError(f"{folder} is the corpus itself: its TextGrids would be read as text. Name another folder")
    return paths[0], paths[1] if len(paths) == 3 else lexicon, folder


def _corpus(paths: tuple[str, ...], layout: Layout, one_file: bool) -> Corpus:
    from speechmill.alignment import corpus

    if one_file:
        return corpus.single(Path(paths[0]), Path(paths[1]), layout)
    return usable(corpus.find(Path(paths[0]), layout), paths[0])


def usable(found: Corpus, name: str) -> Corpus:
    """Return a corpus that has utterances. Raises ConfigError with what is wrong with the first of one that hasn't."""
    if found.recordings:
        return found
    first = [f"{problem.file}: {problem.reason}: {problem.detail}" for problem in found.problems[:3]]
    raise ConfigError(
        f"{name}: no audio with text beside it. {' '.join(first)} Texts are called as their audio: talk.wav, talk.lab"
    )


def _outputs(formats: str, confidence: bool) -> Outputs:
    from speechmill.alignment.outputs import FORMATS, Outputs

    chosen = tuple(part.strip().lower() for part in formats.split(",") if part.strip())
    if not chosen:
        raise ConfigError(f"--format names none; there are {', '.join(FORMATS)}")
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise ConfigError(f"--format {unknown[0]}: there are {', '.join(FORMATS)}")
    return Outputs(chosen, confidence)


def _spare(corpus: Corpus, out: Path, outputs: Outputs) -> None:
    """Raise ConfigError where a file would be overwritten: it may be somebody's own work."""
    from speechmill.alignment.outputs import planned

    there = [path for one in corpus.recordings for path in planned(one, out, outputs) if path.exists()]
    if there:
        raise ConfigError(f"{there[0]} exists already. Replace it with --overwrite, or name another folder with --out")


class _Work:
    """A corpus looked up in its lexicon, with the bar that shows how far its alignment is."""

    def __init__(
        self,
        corpus: Corpus,
        name: str,
        lexicon: str | None,
        g2p: str | None,
        language: str | None,
        threads: int,
        bar: StageBar,
    ) -> None:
        from speechmill.alignment import lexica

        self._corpus = corpus
        self._name = name
        self._lexicon = lexicon or lexica.GRAPHEMES
        self._language = language
        self._threads = threads
        self._bar = bar
        bar("reading the lexicon", 0.0)
        self._prepared: Prepared = lexica.prepare(corpus, lexica.source(lexicon, g2p, language), language)
        for notice in self._prepared.notices:
            bar.note(notice)

    def model(self, path: Path | None, out: Path, tonal: bool, seed: int, *, keep: bool) -> AcousticModel:
        """Return the model of a file, or train one."""
        from speechmill.acoustic.model import load, save
        from speechmill.acoustic.train import Options

        if path is not None:
            return load(path)
        options = Options(seed=seed, tonal=tonal, language=self._language or "", name=Path(self._name).name)
        model = trained(self._corpus, self._prepared, options, self._threads, self._bar)
        if keep:
            save(model, out / MODEL)
        return model

    def align(self, model: AcousticModel, out: Path, outputs: Outputs, syllables: bool, *, write: bool) -> Summary:
        """Align, write what was asked for and, where it is a folder's, alignment.json."""
        import time

        from msgspec.structs import replace

        from speechmill.alignment import run, summary
        from speechmill.alignment.syllables import syllabifier

        if syllables:
            outputs = replace(outputs, syllabify=syllabifier(self._prepared.lexicon))
        tally = summary.Tally(self._corpus, self._prepared)
        started = time.monotonic()
        done = run.align(self._corpus, self._prepared, model, out, outputs, threads=self._threads, report=self._bar)
        for recording in done:
            tally.add(recording)
        made = tally.summary(self._name, self._lexicon, model.digest, time.monotonic() - started)
        if write:
            summary.write(made, out)
        return made


def trained(corpus: Corpus, prepared: Prepared, options: Any, threads: int, bar: StageBar) -> AcousticModel:
    """Train a model on all of a corpus whose words are known; say where that is little."""
    from speechmill.alignment.run import train

    model = train(corpus, prepared, options, report=bar, threads=threads)
    if model.card.hours * 60 < LITTLE_MINUTES:
        bar.note(
            f"trained on {model.card.hours * 60:.1f} minutes of speech alone: some times may be far off. "
            "Check the least certain words, add speech, or give a --model"
        )
    return model


def _print(summary: Summary, out: Path, corpus: Corpus, one_file: bool) -> None:
    from speechmill.alignment.summary import NAME, reasons, warned_of

    speed = summary.audio_s / max(summary.wall_s, 1e-9)
    click.echo(
        f"{summary.aligned} of {summary.utterances} utterances aligned, {hours(summary.audio_s)} of audio at "
        f"{speed:.0f}x real time" + (f", mean score {summary.mean_score:.2f}" if summary.mean_score is not None else "")
    )
    for reason, count in reasons(summary).most_common():
        first = next((line.detail for line in summary.lines if line.reason == reason), "")
        first = first or next((one.detail for one in summary.problems if one.reason == reason), "")
        click.echo(f"  {count} {reason}, such as {first}"[:200])
    for warning, count in warned_of(summary.lines).most_common():
        click.echo(f"  {count} utterances with the warning {warning}")
    if summary.oov:
        worst = ", ".join(f"{word} ({count})" for word, count in list(summary.oov.items())[:LEAST])
        click.echo(f"  {len(summary.oov)} words without pronunciation: {worst}")
    rows = [(one.word, one.score, one.file, one.start, one.duration) for one in summary.least_certain[:LEAST]]
    if rows:
        print_table("the least certain words", ("word", "score", "file", "start s", "seconds"), rows)
    if one_file:
        for recording in corpus.recordings:
            click.echo(f"written  {shown(out / recording.key)}.TextGrid" if summary.aligned else "nothing written")
        return
    click.echo(f"written  {shown(out)}, summary {shown(out / NAME)}")
