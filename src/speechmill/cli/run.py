# SPDX-License-Identifier: Apache-2.0
"""`speechmill run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from speechmill.cli.cluster import show_scales
from speechmill.cli.observing import log_format, observed
from speechmill.cli.output import Bar, hours, parse_settings, print_json, print_table, shown

SHORTHANDS = (
    *("language", "transcript", "second_asr", "vad", "diarize", "quality", "align", "filter", "export", "channels"),
    "device",
)
LISTS = ("transcript", "quality", "export")


@click.command("run")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The workspace; default: what the corpus file says.")
@click.option("--language", help="ISO 639 code of the speech, for example en or vi.")
@click.option("--transcript", help="Where text comes from, in order: sidecar,pocketsphinx.")
@click.option("--second-asr", help="Another recogniser, for metrics that compare two transcripts.")
@click.option("--vad", help="Voice activity detector.")
@click.option("--diarize", help="Speaker diarization backend, or none.")
@click.option("--quality", help="Metrics: snr,dnsmos.")
@click.option("--align", help="Word aligner, or none.")
@click.option("--filter", "filter_", help="Preset of filter rules: asr-broad, tts-strict, emilia-compatible, none.")
@click.option("--export", help="Formats: huggingface,lhotse,textgrid; or none. See: speechmill list exporters")
@click.option("--channels", help="mix, or each for one microphone per speaker.")
@click.option("--device", help="Where networks run: auto, cpu, cuda, cuda:1, triton://host:port.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any field: --set vad.threshold=0.6")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Only the first so many recordings; the dataset then holds no others."
)
@click.option("--dry-run", is_flag=True, help="Say how many hours, how much disk and time; do nothing.")
@click.option("--cluster", is_flag=True, help="With --dry-run: on many machines, for an hour to a million hours.")
@click.option("--hours", "sizes", metavar="H,H", help="With --cluster: these sizes alone.")
@click.option("--prices", metavar="CPU,GPU", help="With --cluster: what an hour of a core and of a GPU costs.")
@click.option("--max-failed", type=click.IntRange(min=0), default=0, show_default=True, help="More end with status 1.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed for good.")
@click.option("--retrain", is_flag=True, help="Make models from the corpus anew, and use these from now on.")
@click.option("--no-crawl", is_flag=True, help="Ask no remote source; use what was crawled before.")
@click.option("--engine", "engine_name", default="local", show_default=True, help="Where it runs: local, dask, ray.")
@click.option("--address", help="Of a cluster that runs: tcp://HOST:8786, auto, ray://HOST:10001; default: our own.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default: one per core.")
@click.option("--memory", "memory_mb", type=click.IntRange(min=256), help="MB that each worker may take.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds for one recording; default: by length and stages.")
@click.option("--no-audio", is_flag=True, help="No playable samples in report.html.")
@log_format
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    source: Path,
    out: Path | None,
    filter_: str | None,
    settings: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    cluster: bool,
    sizes: str | None,
    prices: str | None,
    max_failed: int,
    retry_failed: bool,
    retrain: bool,
    no_crawl: bool,
    engine_name: str,
    address: str | None,
    workers: int | None,
    memory_mb: int | None,
    timeout_s: float | None,
    no_audio: bool,
    as_json: bool,
    **shorthands: str | None,
) -> int:
    """Make the dataset of SOURCE: a corpus file, or a folder or file of audio.

    Remote sources are crawled first, and only what is new is fetched. Interrupted or killed, the same command goes on
    where it was. Work that is done is never done twice.

    \b
    speechmill run ./audio --language en --out ./workspace
    speechmill run corpus.yaml --dry-run
    speechmill run corpus.yaml --dry-run --cluster --hours 1000
    """
    from speechmill import api, engines
    from speechmill.pipeline import run as pipeline

    corpus = api.corpus_of(source, out, _settings({**shorthands, "filter": filter_}, settings))
    engine = engines.make(engine_name, workers, memory_mb, address)
    if cluster:
        return show_scales(corpus, sizes, prices, as_json)
    if dry_run:
        return _dry_run(corpus, engine.workers, limit, as_json)
    options = pipeline.Options(limit, max_failed, retry_failed, retrain, timeout_s, not no_audio)
    if api.has_remote(corpus):
        _crawl(corpus, ask=not no_crawl)
    with Bar() as drawn:
        bar = observed(drawn)
        if corpus.language is None:
            bar.note("no --language: no recogniser or aligner is chosen by itself; text comes from sidecars alone")
        summary = pipeline.run(corpus, engine, options, bar)
        if api.has_remote(corpus) and (gone := api.retain(corpus)):
            bar.note(f"{gone} originals deleted, as crawl.retain says: their canonical audio is kept")
    if as_json:
        print_json(summary)
    else:
        _print(summary, shown(corpus.store))
    return summary.exit_status or 0


def _crawl(corpus: Any, *, ask: bool) -> None:
    """Crawl what can be had now, and hand it over with what is there. What is due later is for another run."""
    from speechmill import api
    from speechmill.cli.crawling import ENDINGS, CrawlBar, told

    with CrawlBar() as bar:
        if not ask:
            api.hand_over(corpus, bar)
            return
        summary = api.crawl_corpus(corpus, api.Crawling(wait=False, observer=bar))
        bar.note(f"crawled: {told(summary.progress)}; {ENDINGS[summary.ending]}")
    if summary.ending == "interrupted":
        raise KeyboardInterrupt


def _settings(shorthands: dict[str, str | None], pairs: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SHORTHANDS:
        value = shorthands.get(name)
        if value is None:
            continue
        if name in LISTS:
            found[name] = [] if value == "none" else [part.strip() for part in value.split(",") if part.strip()]
        else:
            found[name] = None if value == "none" and name in ("align", "second_asr") else value
    return found | parse_settings(pairs)


def _dry_run(corpus: Any, workers: int, limit: int | None, as_json: bool) -> int:
    from speechmill.pipeline.estimate import estimate_corpus

    found = estimate_corpus(corpus, workers, limit)
    if as_json:
        print_json(found)
        return 0
    click.echo(f"{found.recordings} recordings, {found.audio_h:.2f} h of audio")
    if found.unreadable or found.aliases:
        click.echo(f"besides {found.unreadable} that can't be read and {found.aliases} of equal content")
    rows = [
        (row.stage, row.recordings, row.audio_h, row.cpu_h, "measured here" if row.measured else "typical")
        for row in found.stages
    ]
    print_table("", ("stage", "recordings", "audio h", "CPU h", "from"), rows)
    click.echo(f"about {found.disk_gb:.2f} GB of disk; about {hours(found.wall_h * 3600)} with {found.workers} workers")
    return 0


def _print(summary: Any, workspace: Path) -> None:
    from speechmill.cli.status import show, show_exports
    from speechmill.pipeline.overview import overview

    show(overview(workspace))
    if summary.exit_status == 130:
        click.echo("stopped; run the same command again to go on from here", err=True)
        return
    click.echo(f"report   {workspace / 'report.html'}")
    click.echo(f"dataset  {workspace / 'dataset' / 'segments.parquet'}")
    show_exports(workspace)
