# SPDX-License-Identifier: Apache-2.0
"""`speechmill demo`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.output import Bar, hours, print_json, print_table

if TYPE_CHECKING:
    from speechmill.core.types import Interval, Turn
    from speechmill.demo.corpus import Truth
    from speechmill.demo.score import Score

SHOWN = {
    "vad_error": "VAD error",
    "wer": "WER",
    "cer": "CER",
    "der": "DER",
    "word_start_median_ms": "word start, median",
    "word_start_mean_ms": "mean",
    "word_end_median_ms": "word end, median",
    "word_end_mean_ms": "mean",
}
BROKEN = 2  # the demo has a broken and an empty file on purpose


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True)
@click.option("--only-make", is_flag=True, help="Make the corpus; don't run on it.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def command(out: Path, only_make: bool, workers: int | None, as_json: bool) -> int:
    """Make a small English and Vietnamese podcast with known truth, run on it, and say how good it is.

    Offline. Needs the extra `demo` (a synthesiser, GPL, used by this command only).

    \b
    speechmill demo --out ./demo-out
    """
    from speechmill import api
    from speechmill.demo import corpus as demo
    from speechmill.pipeline.run import Options

    truth = demo.make(out / "corpus")
    corpus_file = out / "corpus" / demo.CORPUS
    if only_make:
        click.echo(corpus_file)
        return 0
    with Bar() as bar:
        options = Options(max_failed=BROKEN)
        summary = api.run(corpus_file, out / "workspace", workers=workers, options=options, observer=bar)
    scores = _scores(truth, out / "workspace")
    if as_json:
        print_json(scores)
    else:
        _print(scores, out / "workspace")
    return summary.exit_status or 0


def _scores(truth: Truth, workspace: Path) -> list[Score]:
    from speechmill import api
    from speechmill.demo.score import score
    from speechmill.pipeline.overview import found_by_recording

    speech: dict[str, tuple[Interval, ...]] = found_by_recording(workspace, "speech")
    turns: dict[str, tuple[Turn, ...]] = found_by_recording(workspace, "turns")
    transcripts = {name: transcript.backend for name, transcript in found_by_recording(workspace, "transcript").items()}
    return score(truth, api.open(workspace), speech, turns, transcripts)


def _print(scores: list[Score], workspace: Path) -> None:
    from speechmill.cli.status import show, show_exports
    from speechmill.pipeline.overview import overview

    found = overview(workspace)
    show(found)
    print_table("against the truth", ("recording", *SHOWN.values()), list(_accuracy(scores)))
    for row in scores:
        if row.measure == "words_invented":
            click.echo(f"{row.recording}: {row.value or 0:.0f} words invented where nobody speaks")
        if row.measure == "broken_file_refused":
            click.echo(f"{row.recording}: broken, and {'refused' if row.value else 'NOT refused'}")
    click.echo(f"in {hours(found.audio_h * 3600)} of audio, {hours(found.kept_h * 3600)} kept for training")
    click.echo(f"report   {workspace / 'report.html'}")
    click.echo(f"dataset  {workspace / 'dataset' / 'segments.parquet'}")
    show_exports(workspace)


def _accuracy(scores: list[Score]) -> Iterator[list[str]]:
    """One row a recording that has any of the measures shown; what is missing says so."""
    for recording in dict.fromkeys(row.recording for row in scores):
        mine = {row.measure: row for row in scores if row.recording == recording}
        if mine.keys() & SHOWN.keys():
            yield [recording, *(_value(mine[measure]) if measure in mine else "" for measure in SHOWN)]


def _value(row: Score) -> str:
    if row.value is None:
        return f"missing: {row.gap}"
    if row.unit == "ratio":
        return f"{row.value:.1%}"
    return f"{row.value:.1f} {row.unit}" if row.unit == "ms" else f"{row.value:.3f} {row.unit}"
