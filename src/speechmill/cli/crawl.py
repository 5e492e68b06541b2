# SPDX-License-Identifier: Apache-2.0
"""`speechmill crawl`."""

from __future__ import annotations

import difflib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.output import hours, parse_settings, print_json, print_table, shown
from speechmill.core.errors import ConfigError

if TYPE_CHECKING:
    from speechmill.core.remote import Kind
    from speechmill.pipeline.spec import Corpus
    from speechmill.store.catalog import Counts

KINDS: tuple[Kind, ...] = ("permanent", "geo", "incomplete", "rate", "bot", "net", "format")


class OrCorpus(click.Group):
    """A group whose first word may be a corpus file instead of a command: then `fetch` is meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            if near and not Path(args[0]).exists():
                ctx.fail(f"No such command or corpus file {args[0]!r}. Did you mean {near[0]!r}?")
            args = ["fetch", *args]
        return super().resolve_command(ctx, args)


_corpus = click.argument("corpus", type=click.Path(path_type=Path))
_out = click.option("--out", type=click.Path(path_type=Path), help="The workspace; default: what the corpus file says.")
_settings = click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any field: --set crawl.threads=16"
)
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.group("crawl", cls=OrCorpus)
def command() -> None:
    """Find, describe and fetch what a corpus file's remote sources have.

    Without a command the corpus file is crawled. Interrupted or killed, the same command goes on where it was, and only
    what is new is fetched.

    \b
    speechmill crawl corpus.yaml
    speechmill crawl search "podcast khoa học" --limit 20
    """


@command.command("fetch")
@_corpus
@_out
@_settings
@click.option("--describe-only", is_flag=True, help="Fetch no media: what there is, and under which licence.")
@click.option("--no-wait", is_flag=True, help="End when the budget is spent or what is left is due later.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="End after so many minutes.")
@_json
def fetch(
    corpus: Path,
    out: Path | None,
    settings: tuple[str, ...],
    describe_only: bool,
    no_wait: bool,
    minutes: float | None,
    as_json: bool,
) -> int:
    """Crawl CORPUS, and hand what is stored over to the next `speechmill run`.

    \b
    speechmill crawl fetch corpus.yaml --no-wait
    speechmill crawl corpus.yaml --describe-only --minutes 10
    """
    from speechmill import api
    from speechmill.cli.crawling import CrawlBar, show

    deadline_s = None if minutes is None else minutes * 60
    with CrawlBar() as bar:
        asked = api.Crawling(fetch=not describe_only, wait=not no_wait, deadline_s=deadline_s, observer=bar)
        summary = api.crawl(corpus, out, settings=parse_settings(settings), crawling=asked)
    if as_json:
        print_json(summary)
    else:
        show(summary)
    return 130 if summary.ending == "interrupted" else 0


@command.command("search")
@click.argument("query")
@click.option("--source", "backend", default="youtube", show_default=True, help="The platform that is asked.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Items to describe.")
@click.option("--corpus", type=click.Path(path_type=Path), help="A corpus file whose `crawl:` and catalog are used.")
@_settings
@_json
def search(query: str, backend: str, limit: int, corpus: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Show what a search finds, with length, licence and captions, before anything is fetched.

    What is described counts for the platform's hourly budget.

    \b
    speechmill crawl search "podcast khoa học" --limit 20
    speechmill crawl search "collection:librivoxaudio" --source internet_archive
    """
    from speechmill.cli.crawling import CrawlBar
    from speechmill.crawl.preview import found_by
    from speechmill.crawl.search import Hours, Row, hours_by_licence, rows

    with CrawlBar() as bar:
        read = None if corpus is None else _read(corpus, None)
        described = found_by(backend, query, limit, read, parse_settings(settings), bar)
    if as_json:
        print_json(described)
        return
    print_table("", Row._fields, rows(described))
    print_table("hours by licence", Hours._fields, hours_by_licence(described))


@command.command("status")
@_corpus
@_out
@_json
def status(corpus: Path, out: Path | None, as_json: bool) -> None:
    """Show how far the crawl of CORPUS is: items, hours by licence, errors, ways and budgets.

    \b
    speechmill crawl status corpus.yaml
    """
    from speechmill.crawl.corpus import Standing, standing

    found: Standing = standing(_read(corpus, out), time.time())
    if as_json:
        print_json(found)
        return
    _show_counts(found.counts)
    if found.ways:
        rows = [
            (way.platform, way.name, way.reason or "healthy", _until(way.until), way.failures) for way in found.ways
        ]
        print_table("ways", ("platform", "egress", "state", "rests until", "failures in a row"), rows)
    for platform, (spent, per_hour) in found.budgets.items():
        click.echo(
            f"budget of {platform}: {spent} of {'any number' if per_hour is None else per_hour} in the last hour"
        )


def _show_counts(counts: Counts) -> None:
    print_table("items", ("state", "items"), sorted(counts.items.items()))
    print_table("hours by licence", ("state", "hours"), sorted(counts.hours.items()))
    if counts.errors:
        print_table("not had yet, by error", ("kind", "items"), sorted(counts.errors.items()))
    click.echo(f"{hours(counts.stored_hours * 3600)} stored")


def _until(at: float) -> str:
    if at == float("inf"):
        return "you say so"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at > time.time() else "-"


@command.command("retry")
@_corpus
@_out
@click.option(
    "--class", "kinds", multiple=True, type=click.Choice(KINDS), help="Kinds of error; default: all but permanent."
)
@click.option("--egress", help="Use this way again, which met a bot check.")
def retry(corpus: Path, out: Path | None, kinds: tuple[str, ...], egress: str | None) -> None:
    """Have the next crawl of CORPUS ask again for what could not be had.

    \b
    speechmill crawl retry corpus.yaml --class rate --class net
    speechmill crawl retry corpus.yaml --egress home
    """
    from speechmill.crawl.corpus import clear_egress, open_catalog, queries_of

    read = _read(corpus, out)
    if egress is not None:
        cleared = clear_egress(read, egress)
        click.echo(f"{egress}: {'to be used again' if cleared else 'nothing was in its way'}")
        if not kinds:
            return
    with open_catalog(read) as catalog:
        chosen = [kind for kind in KINDS if (kind in kinds if kinds else kind != "permanent")]
        count = catalog.retry(queries_of(read), chosen, time.time())
    click.echo(f"{count} items will be asked for again by: speechmill crawl {shown(corpus.resolve())}")


@command.command("takedown")
@_corpus
@click.argument("item")
@_out
@click.option("--note", default="", help="Who asked for it, and when.")
def takedown(corpus: Path, item: str, out: Path | None, note: str) -> None:
    """Never fetch or export ITEM again: PLATFORM:ID, its address, or a recording's id. What is stored of it is deleted.

    \b
    speechmill crawl takedown corpus.yaml youtube:dQw4w9WgXcQ --note "by its author, 2026-03-01"
    """
    from speechmill.crawl.corpus import take_down

    found = take_down(_read(corpus, out), item, note, time.time())
    click.echo(f"{found.platform}:{found.id} is taken down; {found.deleted} objects deleted")
    click.echo("datasets and exports leave it out when they are made anew: speechmill run, filter or export")


@command.command("sweep")
@_corpus
@_out
@click.option("--hours", type=click.FloatRange(min=1), default=24.0, show_default=True, help="Only what is older.")
def sweep(corpus: Path, out: Path | None, hours: float) -> None:
    """Delete objects in CORPUS's store that its catalog doesn't know: what a crash may have left.

    One store belongs to one catalog. Another catalog's originals would go too.

    \b
    speechmill crawl sweep corpus.yaml
    """
    from speechmill.crawl.corpus import sweep as swept

    click.echo(f"{swept(_read(corpus, out), hours * 3600, time.time())} objects deleted")


@command.command("import")
@_corpus
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@_out
def import_(corpus: Path, archive: Path, out: Path | None) -> None:
    """Count as fetched what yt-dlp's download ARCHIVE lists: lines such as `youtube dQw4w9WgXcQ`.

    \b
    speechmill crawl import corpus.yaml downloaded.txt
    """
    from speechmill.crawl.corpus import open_catalog, read_archive

    ids = read_archive(archive)
    with open_catalog(_read(corpus, out)) as catalog:
        count = catalog.import_archive(ids, time.time())
    click.echo(f"{count} of {len(ids)} items are new, and will not be fetched")


@command.command("stats")
@_corpus
@_out
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Channels and categories shown.")
@_json
def stats(corpus: Path, out: Path | None, top: int, as_json: bool) -> None:
    """Show what the crawl of CORPUS found and what it cost: by kind of query, category, channel and language.

    \b
    speechmill crawl stats corpus.yaml --json
    """
    from speechmill.crawl.corpus import open_catalog, queries_of
    from speechmill.crawl.statistics import statistics, tables

    read = _read(corpus, out)
    with open_catalog(read) as catalog:
        found = statistics(catalog, queries_of(read))
    if as_json:
        print_json(found)
        return
    for table in tables(found, top):
        print_table(table.title, table.header, table.rows)


def _read(path: Path, out: Path | None) -> Corpus:
    from speechmill import api

    read = api.corpus_of(path, out)
    if not api.has_remote(read):
        raise ConfigError(f"{path} has no remote source; see: speechmill list sources")
    return read
