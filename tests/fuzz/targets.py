# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: every parser of files that others wrote, each with seeds made by the project's own writers.

A target takes bytes. It returns where they were read as something that survives being written and read again, or
where they were refused by an error of the project's own that names the file. Anything else is a find.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from speechmill.core import registry
from speechmill.core.errors import FetchError, SpeechmillError
from speechmill.core.registry import Choice
from speechmill.core.types import Recording, Rights, Segment, Source, Turn, Utterance, Word
from speechmill.exporters.elan import tiers_of
from speechmill.formats import captions, ctm, eaf, eaf_document, lexicon, manifest, rttm, textgrid
from speechmill.pipeline import batches, correction_files, events, frozen, refilter, spec, training
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, read_marker
from speechmill.pipeline.pending import Member
from speechmill.pipeline.versions.manifest import Counts, Manifest, Set, Tally
from speechmill.pipeline.versions.shelf import Shelf
from speechmill.sources import _captions, _feeds, _http_listing, _tables, _youtube_captions
from speechmill.store import made, takedowns
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace
from speechmill.transcripts import _json, sidecar
from speechmill.transcripts import captions as caption_transcripts

WORDS = (Word("xin", 0.25, 0.25, 0.5), Word("chào", 0.5, 1.25, 0.75))
PHONES = (Word("s", 0.25, 0.1), Word("i", 0.35, 0.15), Word("t͡ɕ", 0.5, 1.25))
SEGMENT = Segment("r-0", "r", 0.25, 1.5, text="Xin chào <b>", speaker="anna", words=WORDS, phones=PHONES)
UTTERANCES = (Utterance("Xin chào", 0.25, 1.5, speaker="Ánh & Bảo", words=WORDS), Utterance("& <b>", 3.0, 1.0))
RECORDING = Recording(
    "r", "https://x.test/r.mp3", "0" * 64, 3.0, 16_000, 1, ("recordings/r.flac",), "vi", rights=Rights()
)
SOURCE = Source("r-1a2b3c", "crawl/originals/r.mp3", "k", "0" * 64, 9, sidecars=("a.vtt",), rights=Rights("CC BY 4.0"))
URL = "https://x.test/folder/"


class Target(NamedTuple):
    """read(path of a file that holds the bytes, a folder for what it writes)."""

    suffix: str
    read: Callable[[Path, Path], object]
    seeds: Callable[[Path], Iterable[bytes]]
    names_file: bool = True  # in the message of an error


def refused(target: Target, path: Path, folder: Path) -> SpeechmillError | None:
    """Run a target. Returns the error by which it refused the file; raises whatever it shouldn't have raised."""
    try:
        target.read(path, folder)
    except SpeechmillError as error:
        if target.names_file:
            named(error, path.name)
        return error
    return None


def named(error: SpeechmillError, name: str) -> None:
    if name not in str(error):
        raise AssertionError(f"{type(error).__name__} doesn't name {name}: {error}") from error


def same(read: object, again: object) -> None:
    if read != again:
        raise AssertionError(f"it was read as {read!r:.500}, and written and read again is {again!r:.500}")


def _textgrid(path: Path, folder: Path) -> None:
    grid, kept = textgrid.read(path), textgrid.read_kept(path)
    textgrid.write(folder / "kept.TextGrid", kept, durable=False)
    same([t.name for t in grid.tiers], [t.name for t in textgrid.read(folder / "kept.TextGrid").tiers])


def _eaf(path: Path, folder: Path) -> None:
    found = eaf.read(path)
    eaf.write(folder / "out.eaf", (), path)
    same(found.tiers, eaf.read(folder / "out.eaf").tiers)


def _captions_file(path: Path, folder: Path) -> None:
    found = captions.read(path)
    captions.read_rolling(path)
    again = folder / f"out{path.suffix}"
    captions.write(again, found)
    if path.suffix == ".vtt" or not any(one.speaker for one in found):
        same(found, captions.read(again))


def _json3(path: Path, folder: Path) -> None:
    for kind in ("automatic", "manual"):
        written = _youtube_captions.as_vtt(path.read_bytes(), kind)
        if written is not None:
            (folder / "out.vtt").write_bytes(written)
            captions.read(folder / "out.vtt")
            captions.read_rolling(folder / "out.vtt")


def _webvtt(path: Path, folder: Path) -> None:
    written = _captions.as_webvtt(path.read_bytes())
    if written is not None and path.read_bytes().lstrip().startswith(b"{"):
        (folder / "out.vtt").write_bytes(written)
        captions.read(folder / "out.vtt")


def _columns(module: Any, suffix: str) -> Callable[[Path, Path], None]:
    def read(path: Path, folder: Path) -> None:
        found = module.read(path)
        module.write(folder / f"once{suffix}", found)
        once = module.read(folder / f"once{suffix}")
        module.write(folder / f"twice{suffix}", once)
        same(once, module.read(folder / f"twice{suffix}"))
        same(sorted(found), sorted(once))

    return read


def _lexicon(path: Path, folder: Path) -> None:
    found = lexicon.read(path)
    assert found.phones
    assert len(found.digest) == 64
    try:
        lexicon.write(folder / "out.dict", found)
    except SpeechmillError:  # a word that only looks like one in the loose way of writing
        return
    same(found.entries, lexicon.read(folder / "out.dict").entries)


def _corpus(path: Path, _folder: Path) -> None:
    msgspec.json.encode(spec.load(path).raw)


def _jsonl(path: Path, folder: Path) -> None:
    found = list(manifest.read_jsonl(path, Segment))
    manifest.write_jsonl(folder / "out.jsonl", found)
    same(found, list(manifest.read_jsonl(folder / "out.jsonl", Segment)))


def _rows(path: Path, folder: Path) -> None:
    found = manifest.read_rows(path, Source)
    manifest.write_rows(folder / "out.parquet", found, Source)
    same(found, manifest.read_rows(folder / "out.parquet", Source))


def _dataset(path: Path, folder: Path) -> None:
    """Both tables of a dataset are the same bytes: one of them is refused at least."""
    root = folder / "workspace"
    (root / "dataset").mkdir(parents=True, exist_ok=True)
    for name in ("segments", "recordings"):
        (root / "dataset" / f"{name}.parquet").write_bytes(path.read_bytes())
    found = Dataset(root)
    for rows in (found.recordings, lambda: list(found.segments(kept=False))):
        try:
            rows()
        except SpeechmillError as error:
            named(error, ".parquet")


def _sidecar(path: Path, _folder: Path) -> None:
    """A transcript is used whole: times inside the recording, text in NFC."""
    from speechmill.core.stage import Context

    context = Context(Path("."), lambda name: Path(name))
    for module in (sidecar, caption_transcripts):
        found = module.Backend(module.Config(), context).read(Source("r", "r.wav", sidecars=(str(path),)), 60.0)
        for one in found.utterances if found else ():
            for symbol in (one, *one.words):
                if symbol.start is not None:
                    assert 0 <= symbol.start <= symbol.start + symbol.duration <= 60.001, symbol
            assert one.channel >= 0


def _corrections(path: Path, _folder: Path) -> None:
    correction_files.read(path)


def _parts_of_run(path: Path, folder: Path) -> None:
    """Both tables of a run are the same bytes."""
    for name in ("sources", "shards"):
        (folder / f"{name}.parquet").write_bytes(path.read_bytes())
    for read in (frozen.read_frozen, lambda place: frozen.read_shards(place, ["00000"])):
        try:
            read(folder)
        except SpeechmillError as error:
            named(error, folder.name)


def _batch(path: Path, folder: Path) -> None:
    """Nothing that a hostile batch names lies outside the workspace, or can't be a file's name."""
    choice = Choice("sources", "podcast", registry.load("sources", "podcast").Config(feeds=("https://x.test/feed",)))
    place = folder / "crawl" / "batches" / batches.query_id(choice) / "000001-x.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    try:
        found = batches.read_batch(folder, choice)
    except SpeechmillError as error:
        named(error, place.name)
        return
    for one in found:
        assert "/" not in one.id


def _listing(path: Path, folder: Path) -> None:
    for read in (
        lambda content: _http_listing.read_page(content, URL, ()),
        lambda content: _http_listing.read_list(content, URL),
        lambda content: _http_listing.read_table(content, URL, folder),
    ):
        try:
            found = read(path.read_bytes())
        except FetchError:
            continue
        assert all(one.url.startswith(("http://", "https://")) for one in found.files)


def _feed(path: Path, _folder: Path) -> None:
    found = _feeds.read_feed(path.read_bytes(), URL)
    assert all(one.media.startswith(("http://", "https://")) for one in found.entries)


def _workspace(name: str, read: Callable[[Workspace], object]) -> Callable[[Path, Path], None]:
    """A workspace in which one file holds the bytes."""

    def run(path: Path, folder: Path) -> None:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        try:
            read(Workspace(folder))
        except SpeechmillError as error:
            named(error, folder.name)
            raise

    return run


def _written(suffix: str, write: Callable[[Path], object]) -> Callable[[Path], list[bytes]]:
    """Seeds: the bytes of a file that one of the project's writers wrote."""

    def seeds(folder: Path) -> list[bytes]:
        write(folder / f"seed{suffix}")
        return [(folder / f"seed{suffix}").read_bytes()]

    return seeds


def _encoded(*values: object) -> Callable[[Path], list[bytes]]:
    return lambda _folder: [one if isinstance(one, bytes) else msgspec.json.encode(one) for one in values]


def _table(rows: Iterable[Iterable[str]], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


GRID = textgrid.TextGrid(
    0.0, 3.0, (textgrid.IntervalTier('a "b"', WORDS), textgrid.PointTier("p", (textgrid.Point(1.0, "x"),)))
)
LEXICON = lexicon.Lexicon(
    {"chào": (lexicon.Pronunciation(("t", "a"), 0.5, 0.1, 1.0, 0.9), lexicon.Pronunciation(("t", "aw"), 1.0))}
)
JSON3 = {
    "events": [
        {"tStartMs": 0, "dDurationMs": 900, "segs": [{"utf8": "a"}, {"utf8": " b", "tOffsetMs": 400}]},
        {"tStartMs": 1000, "dDurationMs": 9, "segs": [{"utf8": "[Music]"}]},
    ]
}
FEED = b"""<rss version="2.0"><channel><title>t</title><language>vi</language><item><title>e</title>
<enclosure url="https://x.test/a.mp3" type="audio/mpeg"/><guid>g</guid><pubDate>Mon, 01 Jan 2024 00:00:00 GMT</pubDate>
</item></channel></rss>"""
CORPUS = b"""name: c
language: vi
sources:
  - local: {path: ./audio}
vad: {silero: {threshold: 0.6}}
filter: [snr_db < 10]
splits: {dev: 0.1, test: 0.1}
export: [textgrid, {ctm: {level: phones}}]
"""

TARGETS = {
    "textgrid": Target(
        ".TextGrid", _textgrid, _written(".TextGrid", lambda path: textgrid.write(path, GRID, durable=False))
    ),
    "eaf": Target(".eaf", _eaf, _written(".eaf", lambda path: eaf_document.write(path, tiers_of([SEGMENT]), "r.wav"))),
    "srt": Target(".srt", _captions_file, _written(".srt", lambda path: captions.write(path, UTTERANCES))),
    "vtt": Target(".vtt", _captions_file, _written(".vtt", lambda path: captions.write(path, UTTERANCES))),
    "json3": Target(".json3", _json3, _encoded(JSON3), names_file=False),
    "podcast-captions": Target(
        ".json", _webvtt, _encoded({"segments": [{"startTime": 0.5, "endTime": 1, "body": "a", "speaker": "b"}]})
    ),
    "rttm": Target(
        ".rttm", _columns(rttm, ".rttm"), _written(".rttm", lambda path: rttm.write(path, {"r": [Turn(0, 1, "a")]}))
    ),
    "ctm": Target(".ctm", _columns(ctm, ".ctm"), _written(".ctm", lambda path: ctm.write(path, {("r", 0): WORDS}))),
    "lexicon": Target(".dict", _lexicon, _written(".dict", lambda path: lexicon.write(path, LEXICON))),
    "corpus-file": Target(".yaml", _corpus, _encoded(CORPUS)),
    "manifest-jsonl": Target(".jsonl", _jsonl, _written(".jsonl", lambda path: manifest.write_jsonl(path, [SEGMENT]))),
    "manifest-parquet": Target(
        ".parquet", _rows, _written(".parquet", lambda path: manifest.write_rows(path, [SOURCE], Source))
    ),
    "dataset": Target(
        ".parquet",
        _dataset,
        lambda folder: [
            *_written(".a", lambda path: manifest.write_rows(path, [SEGMENT], Segment))(folder),
            *_written(".b", lambda path: manifest.write_rows(path, [RECORDING], Recording))(folder),
        ],
    ),
    "run-parquet": Target(
        ".parquet",
        _parts_of_run,
        lambda folder: [
            *_written(".a", lambda path: manifest.write_rows(path, [SOURCE], Source))(folder),
            *_written(".b", lambda path: manifest.write_rows(path, [Member("00000", "k", "r", 1.0)], Member))(folder),
        ],
        names_file=False,
    ),
    "batch-parquet": Target(
        ".parquet",
        _batch,
        _written(".parquet", lambda path: manifest.write_rows(path, [SOURCE], Source)),
        names_file=False,
    ),
    "recordings-tsv": Target(
        ".tsv",
        lambda path, _folder: _tables.read_recordings(path),
        _encoded(
            _table([_tables.COLUMNS, ["a.wav", "vi", "ann", "2", "mix", "CC BY 4.0", "e", "c", "2024", "a", "b"]], "\t")
        ),
    ),
    "transcripts-tsv": Target(
        ".tsv", lambda path, _folder: _tables.read_transcripts(path), _encoded(b"file\ttext\na.wav\tXin ch\xc3\xa0o\n")
    ),
    "transcript-json": Target(
        ".json",
        lambda path, folder: (_json.read(path), _sidecar(path, folder)),
        _encoded({"utterances": UTTERANCES}, {"segments": [{"text": "a", "start": 0, "end": 1.5, "words": []}]}),
    ),
    "transcript-vtt": Target(
        ".vtt",
        _sidecar,
        _encoded(b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>one<00:00:01.000><c> two</c> three four five\n"),
    ),
    "transcript-textgrid": Target(
        ".TextGrid", _sidecar, _written(".TextGrid", lambda path: textgrid.write(path, GRID, durable=False))
    ),
    "corrections-csv": Target(
        ".csv",
        _corrections,
        _encoded(
            _table([correction_files.COLUMNS, ["", "r", "0", "2", "", "0", "a b", "ann", ""]], ","),
            b"recording,start,end,word\nr,0.5,0.7,a\nr,0.7,0.9,b\n",
        ),
    ),
    "corrections-eaf": Target(
        ".eaf", _corrections, _written(".eaf", lambda path: eaf_document.write(path, tiers_of([SEGMENT]), "r.wav"))
    ),
    "listing": Target(
        ".html",
        _listing,
        _encoded(
            b'<a href="a.mp3">x</a><a href="b/">y</a>', b"https://x.test/a.mp3\nb.vtt\n", b"path\tlanguage\na.mp3\tvi\n"
        ),
        names_file=False,
    ),
    "feed": Target(".xml", _feed, _encoded(FEED), names_file=False),
    "index.json": Target(
        ".json",
        _workspace("dataset/index.json", refilter.read_index),
        _encoded(refilter.Index("r", "t", "d", ("a < 1",), "asr-broad", ("a",))),
        names_file=False,
    ),
    "workspace.json": Target(
        ".json",
        _workspace("workspace.json", lambda place: Workspace.open(place.root)),
        _encoded({"speechmill_schema": "1"}),
        names_file=False,
    ),
    "plan.json": Target(
        ".json",
        _workspace("runs/r/plan.json", lambda place: training.read_plan(place.runs / "r")),
        _encoded({"run": "r", "corpus": {}, "base": ".", "workspace": ".", "nodes": []}),
        names_file=False,
    ),
    "summary.json": Target(
        ".json",
        _workspace("runs/r/summary.json", lambda place: events.read_summary(place.runs / "r")),
        _encoded(events.Summary("r", 1.0, 2.0, 0, 3)),
        names_file=False,
    ),
    "takedowns.json": Target(
        ".json",
        _workspace("crawl/takedowns.json", lambda place: takedowns.taken_down(place.root)),
        _encoded([takedowns.TakenDown("r", "youtube", "x")]),
        names_file=False,
    ),
    "pins.json": Target(
        ".json",
        _workspace("models/pins.json", lambda place: made.read_pins(place.models)),
        _encoded({"a": "b"}),
        names_file=False,
    ),
    "made.json": Target(
        ".json",
        _workspace("models/m/made.json", lambda place: made.read_made(place.models, "m")),
        _encoded(made.Made("m", "align", "gmm", "t", "i", "corpus", "vi", 1.0, 2, 3)),
        names_file=False,
    ),
    "export-marker": Target(
        ".json",
        _workspace(f"exports/rttm/{EXPORT_MARKER}", lambda place: read_marker(place.exports / "rttm")),
        _encoded(Export("f", "t", "d", 1)),
        names_file=False,
    ),
    "version-manifest": Target(
        ".json",
        _workspace("versions/00001-0123456789abcdef/manifest.json", lambda place: Shelf(place).newest()),
        _encoded(
            Manifest(
                *(1, "0123456789abcdef", "2026-01-01T00:00:00Z", "r", "t", "d"),
                Counts(1, 1, 1, 0.1, 1, 0.1, {"train": Tally(1, 0.1)}, {}, ()),
                *({}, {"name": "c"}, {}, "asr-broad", ("a < 1",), ("a",), None, None, "names", (), (), {}, "0.1.0"),
                *(Set(), Set()),
            )
        ),
        names_file=False,
    ),
}
