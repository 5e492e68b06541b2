# SPDX-License-Identifier: Apache-2.0
"""The pages say what the code does: links, options and defaults, columns, scores, presets, reasons."""

import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from speechmill.core import registry
from speechmill.core.remote import RightsOverride, Wanted
from speechmill.core.types import Segment
from speechmill.crawl.corpus import check as check_crawl
from speechmill.crawl.reactions import REACTIONS, Breaker
from speechmill.exporters._attribution import COLUMNS as ATTRIBUTION_COLUMNS
from speechmill.pipeline import spec
from speechmill.pipeline.crawl_options import Cookies, CrawlOptions, Egress
from speechmill.pipeline.expressions import FUNCTIONS, NAMES, Rule
from speechmill.pipeline.plan import stages
from speechmill.pipeline.presets import PRESETS
from speechmill.pipeline.scores import describe
from speechmill.pipeline.table import RecordingRow
from speechmill.sources._tables import COLUMNS as RECORDINGS_COLUMNS
from speechmill.sources.local import SIDECARS
from speechmill.sources.youtube import MIN_YTDLP

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
UNREACHED = {"too-long"}  # a limit of the audio library that no stage sets


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(text, heading):
    """Return what stands below a heading, up to the next of its level or above."""
    level = heading.index(" ")
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no heading {heading!r}"
    return found[1]


def rows(text):
    """Return the tables' rows as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_cells(text):
    return [code for row in rows(text) for code in re.findall(r"^`(.*)`$", row[0])]


def anchors(text):
    """Return the anchors that headings get: lower case, blanks to dashes, other marks gone."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file) if file else path
        if not place.exists() or (anchor and anchor not in anchors(place.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:docs|examples|benchmarks|tests|src|\.ci)/[\w./-]+\w)`", text)
    # CONTRIBUTING.md makes these.
    metric = {"src/speechmill/quality/dc_offset.py", "tests/quality/test_dc_offset.py"}
    example = metric | {"src/speechmill/sources/lectures.py"}
    assert [name for name in named if name not in example and not (ROOT / name).exists()] == []


def test_the_readme_names_every_backend():
    table = section(page("README.md"), "## Backends")
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows(table)[1:]}
    assert listed == {family: set(registry.names(family)) for family in (*registry.FAMILIES, *registry.PLACES)}


def test_the_corpus_file_page_names_every_field():
    assert first_cells(section(page("docs/corpus-file.md"), "## Fields")) != []
    fields = {field.encode_name for field in msgspec.structs.fields(spec.CorpusFile)}
    assert set(first_cells(section(page("docs/corpus-file.md"), "## Fields"))) == fields


def test_the_corpus_file_page_has_the_fields_defaults():
    table = {row[0].strip("`"): row[1] for row in rows(section(page("docs/corpus-file.md"), "## Fields"))}
    shown = {name: yaml.safe_load(cell.strip("`")) for name, cell in table.items() if cell.startswith("`")}
    fields = {field.encode_name: field for field in msgspec.structs.fields(spec.CorpusFile)}
    assert len(shown) >= 11
    for name, value in shown.items():
        field = fields[name]
        has_factory = field.default_factory is not msgspec.NODEFAULT
        assert value == (field.default_factory() if has_factory else field.default), name


BACKENDS = [(family, name) for family in registry.FAMILIES for name in registry.names(family)]


@pytest.mark.parametrize(("family", "name"), BACKENDS, ids=[f"{family}-{name}" for family, name in BACKENDS])
def test_the_corpus_file_page_has_each_option_with_its_default(family, name):
    table = rows(section(page("docs/corpus-file.md"), f"### `{family}` `{name}`"))
    shown = {row[0].strip("`"): row[1].strip("`") for row in table[1:]}
    config = registry.load(family, name).Config
    # What all remote sources have stands on the page once; where a backend has another default, beside its own.
    common = options_of(Wanted).items() if issubclass(config, Wanted) else ()
    assert shown == dict(options_of(config).items() - common)


def options_of(config):
    """Each option with its default, as a page writes them."""
    found = {}
    for field in msgspec.structs.fields(config):
        required = field.default is msgspec.NODEFAULT
        found[field.name] = "none: it must be given" if required else msgspec.json.encode(field.default).decode()
    return found


def test_the_corpus_file_page_has_the_options_of_every_remote_source():
    text = section(page("docs/corpus-file.md"), "### Options of every remote source")
    assert {row[0].strip("`"): row[1].strip("`") for row in rows(text)[1:]} == options_of(Wanted)
    assert all(f"{name}: ..." in text for name in RightsOverride.__struct_fields__)


@pytest.mark.parametrize(
    ("heading", "options"),
    [("### `crawl`", CrawlOptions), ("### `crawl.egress`", Egress), ("### `crawl.cookies`", Cookies)],
)
def test_the_corpus_file_page_has_each_option_of_a_crawl_with_its_default(heading, options):
    table = rows(section(page("docs/corpus-file.md"), heading))[1:]
    shown = {row[0].strip("`"): row[1].strip("`") for row in table}
    assert list(shown) == [field.name for field in msgspec.structs.fields(options)]
    given = {name: yaml.safe_load(cell) for name, cell in shown.items() if cell != "none: it must be given"}
    required = dict.fromkeys(shown.keys() - given.keys(), "any")
    assert msgspec.convert(given | required, options) == options(**required)


REMOTE = [name for name in registry.names("sources") if issubclass(registry.load("sources", name).Config, Wanted)]


def test_the_crawling_page_has_every_remote_source_with_its_budget():
    text = section(page("docs/crawling.md"), "## Sources")
    assert sorted(re.findall(r"^### `(\w+)`$", text, re.MULTILINE)) == REMOTE
    shown = {row[0].strip("`"): row[1] for row in rows(section(page("docs/crawling.md"), "### Budgets"))[1:]}
    budgets = {name: registry.load("sources", name).BUDGET for name in REMOTE}
    assert shown == {name: "no limit" if budget is None else str(budget) for name, budget in budgets.items()}
    assert f"in version {MIN_YTDLP} or later" in text


def test_the_crawling_page_says_what_each_kind_of_error_does():
    table = rows(section(page("docs/crawling.md"), "## Errors"))[1:]
    shown = {row[0].strip("`"): row[2] for row in table}
    assert shown == {
        kind: f"{of.first_s:g} s, x{of.growth:g}, at most {of.cap_s:g} s" if of.retry else "never"
        for kind, of in REACTIONS.items()
    }
    breaker = Breaker("any")
    for item in range(5):
        assert not breaker.is_open
        breaker.report(str(item), "format", 0.0)
    assert breaker.next_at(0.0) == 1800.0
    assert "Five in a row" in page("docs/crawling.md")


def test_the_crawling_page_has_every_reason_that_leaves_an_item_out():
    policy = (ROOT / "src" / "speechmill" / "crawl" / "policy.py").read_text(encoding="utf-8")
    given = set(re.findall(r"_skip\(\"([a-z-]+)\"", policy))
    given |= {"no-manual-captions", "no-automatic-captions", "licence-standard", "licence-unstated", "licence-failed"}
    assert len(given) > 15
    assert set(first_cells(section(page("docs/crawling.md"), "### Why an item is left out"))) == given


def test_the_corpus_file_page_names_columns_and_endings():
    text = page("docs/corpus-file.md")
    assert set(first_cells(section(text, "## recordings.tsv"))) == set(RECORDINGS_COLUMNS)
    endings = re.findall(
        r"`(\.\w+)`", " ".join(row[0] for row in rows(section(text, "## Transcripts beside the audio")))
    )
    assert [ending.lower() for ending in endings] == list(SIDECARS)


YAML_BLOCKS = [
    (path.name, block)
    for path in PAGES
    for block in re.findall(r"^```yaml\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("name", "block"), YAML_BLOCKS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(YAML_BLOCKS)])
def test_a_piece_of_a_corpus_file_is_understood(name, block, tmp_path):
    path = tmp_path / "corpus.yaml"
    path.write_text(block if "sources:" in block else f"sources: [local: {{path: .}}]\n{block}", encoding="utf-8")
    corpus = spec.load(path)
    assert corpus.sources
    if any(choice.backend in REMOTE for choice in corpus.sources):
        check_crawl(corpus)


def test_the_filter_page_has_every_preset_with_its_rules():
    for name, rules in PRESETS.items():
        shown = first_cells(section(page("docs/filter.md"), f"### `{name}`"))
        assert [Rule(rule).expression for rule in shown] == [rule.expression for rule in rules]


def test_the_filter_page_has_every_name_and_function():
    text = section(page("docs/filter.md"), "## Expressions")
    kinds = {row[0].strip("`"): row[1] for row in rows(text)[1:]}
    assert kinds == dict(NAMES)
    assert [name for name in FUNCTIONS if f"{name}(" not in text] == []


def test_the_dataset_page_has_every_column():
    text = page("docs/dataset.md")
    columns = first_cells(section(text, "## segments.parquet"))
    assert columns == [field.name for field in msgspec.structs.fields(Segment)]
    columns = first_cells(section(text, "## recordings.parquet"))
    assert columns == [field.name for field in msgspec.structs.fields(RecordingRow)]


def test_the_dataset_page_has_every_score_with_unit_range_and_direction():
    shown = {row[0].strip("`"): row[1:5] for row in rows(section(page("docs/dataset.md"), "## Scores"))[1:]}
    expected = {
        name: [
            f"`{score.metric}`",
            score.column.unit,
            "{:g} to {:g}".format(*score.column.range),
            "higher" if score.column.higher_is_better else "lower",
        ]
        for name, score in describe().items()
    }
    assert shown == expected


def test_the_page_of_exports_has_every_exporter():
    text = section(page("docs/exports.md"), "## Formats")
    assert sorted(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == registry.names("exporters")


def test_the_page_of_exports_has_the_columns_of_the_attribution():
    text = section(page("docs/exports.md"), "## ATTRIBUTION.tsv")
    assert first_cells(text) == list(ATTRIBUTION_COLUMNS)


def test_every_reason_on_the_pages_is_one_that_the_code_gives():
    reasons = re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", page("docs/bad-input.md"))
    reasons += first_cells(section(page("docs/dataset.md"), "## Gaps"))
    assert len(reasons) > 30
    assert [reason for reason in reasons if not re.search(rf"[\"'{{]{reason}[\"':]", SOURCE)] == []


def test_every_reason_that_the_code_gives_is_on_the_pages():
    kinds = "AudioError|TranscriptError|ItemError|Unscorable|Unalignable"
    given = set(re.findall(rf"(?:{kinds})\(\s*\"([a-z0-9-]+)\"", SOURCE)) - UNREACHED
    given |= set(re.findall(r"warnings\.append\(\s*f?\"([a-z-]+):", SOURCE))
    text = page("docs/bad-input.md") + page("docs/dataset.md")
    assert len(given) > 20
    assert [reason for reason in sorted(given) if f"`{reason}`" not in text] == []


def test_every_reason_of_a_fetch_that_fails_is_on_the_page_of_bad_input():
    given = set(re.findall(r"FetchError\(\s*\"[a-z]+\",\s*\"([a-z0-9-]+)\"", SOURCE))
    # Tables of the platforms' words and statuses; pairs of kinds are none.
    given |= set(re.findall(r"\(\"(?:permanent|geo|incomplete|rate|bot|net|format)\",\s*\"([a-z0-9-]+)\"", SOURCE))
    given |= set(re.findall(r"_refused\(\"([a-z-]+)\"", SOURCE))
    given -= set(REACTIONS)
    text = section(page("docs/bad-input.md"), "## Crawling")
    assert len(given) > 80
    assert [reason for reason in sorted(given) if f"`{reason}`" not in text] == []


def test_the_architecture_page_has_every_stage_with_what_it_reads_and_writes():
    written = {"quality": ["snr"], "align": "pocketsphinx", "second_asr": "pocketsphinx", "transcript": ["sidecar"]}
    corpus = spec.resolve({"sources": [{"local": {"path": "."}}], **written}, ROOT)
    table = rows(section(page("docs/architecture.md"), "## A stage is a column writer"))[1:]
    shown = {row[0].split(",")[0].strip("`"): (row[1], row[2]) for row in table}
    for stage in stages(corpus):
        name = stage.name.replace(".snr", ".<metric>")
        reads, writes = (re.findall(r"`([^`]+)`", cell) for cell in shown.pop(name))
        expected = [
            re.sub(r"snr_db", "<score>", column).replace("quality.snr", "quality.<metric>") for column in stage.writes
        ]
        assert (reads, writes) == (list(stage.reads), expected)
    assert shown == {}


def test_no_page_names_the_machine_it_was_written_on():
    for path in [*PAGES, *(ROOT / "examples").iterdir()]:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert not re.search(r"\.\./shared|/root/|/home/", text), path.name


def test_the_changelog_has_the_version():
    from speechmill import __version__

    assert f"## {__version__}" in page("CHANGELOG.md")
    assert json.loads(page("docs/corpus.schema.json"))["$ref"] == "#/$defs/CorpusFile"
