# SPDX-License-Identifier: Apache-2.0
"""README.md of a dataset and of its exports: what people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from speechmill.exporters._attribution import FILE
from speechmill.pipeline.card.facts import Facts
from speechmill.pipeline.card.front import front_matter
from speechmill.pipeline.card.limits import limits
from speechmill.pipeline.card.markdown import cell, fenced, table
from speechmill.pipeline.card.recipe import corpus_file
from speechmill.pipeline.card.spread import Spread, drawn
from speechmill.pipeline.versions.manifest import Step, UsedModel

_MINUTE = 1 / 60
_MACHINE = ("python", "machine")  # of `versions`, what pip has no say in


def readme(
    facts: Facts,
    *,
    usage: str = "",
    checksums: str = "",
    dated: bool = False,
    configs: list[dict[str, Any]] | None = None,
) -> str:
    """Write a card.

    usage: lines of Python that open it. checksums: the file that lists them, where there is one. dated: say when the
    version was made; an export of the same dataset has the same bytes whenever that was. configs: see `front_matter`.
    """
    parts = [
        *_opening(facts, dated=dated),
        *_section("How to open it", fenced(usage, "python") if usage else []),
        *_section("What is in it", _contents(facts)),
        *_section("Known limits", [f"- {cell(one)}" for one in limits(facts)]),
        *_section("Thresholds, and what they dropped", _losses(facts)),
        *_section("How values lie", _spreads(facts)),
        *_section("Licences and attribution", _licences(facts)),
        *_section("How it was made", _made(facts)),
        *_section("Make it again", _again(facts)),
        *_section("Checksums", _checksums(facts, checksums)),
    ]
    return front_matter(facts, configs) + "\n".join(["", *parts]) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _opening(facts: Facts, *, dated: bool) -> list[str]:
    counts, manifest = facts.manifest.counts, facts.manifest
    who = facts.speakers.named + facts.speakers.local
    when = f", made on {manifest.created[:10]}" if dated else ""
    return [
        f"# {cell(facts.name)}",
        "",
        f"{amount(counts.kept_hours)} of speech: {_many(counts.kept, 'segment')} of "
        f"{_many(counts.recordings_kept, 'recording')}, {_many(who, 'speaker')}, {_languages(facts)}.",
        "",
        f"Version {manifest.number} (`{manifest.fingerprint}`){when}, with speechmill {cell(manifest.speechmill)}.",
    ]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def amount(hours: float) -> str:
    """Write hours so that little is not nothing.

    >>> amount(12.345), amount(0.25), amount(0.001)
    ('12.35 hours', '15.0 minutes', '3.6 seconds')
    """
    if hours >= 1:
        return f"{hours:,.2f} hours"
    return f"{hours / _MINUTE:.1f} minutes" if hours >= _MINUTE else f"{hours * 3600:.1f} seconds"


def _languages(facts: Facts) -> str:
    named = [language for language in facts.manifest.counts.languages if language]
    return cell(", ".join(named)) if named else "language unknown"


def _contents(facts: Facts) -> list[str]:
    counts = facts.manifest.counts
    splits = [
        (name, one.segments, amount(one.hours), facts.speakers.by_split.get(name, 0))
        for name, one in counts.splits.items()
    ]
    languages = [(name or "unknown", one.segments, amount(one.hours)) for name, one in counts.languages.items()]
    texts = [(name or "none", amount(hours)) for name, hours in facts.texts.items()]
    return [
        *table(("Split", "Segments", "Audio", "Speakers"), splits),
        "",
        *table(("Language", "Segments", "Audio"), languages),
        "",
        *table(("Texts by", "Audio"), texts),
        "",
        f"That is of {_many(counts.recordings, 'recording')} with {_many(counts.segments, 'segment')} "
        f"({amount(counts.hours)}).",
        *([f"People corrected {facts.corrected:,} of the kept segments."] if facts.corrected else []),
    ]


def _losses(facts: Facts) -> list[str]:
    counts = facts.manifest.counts
    if not facts.manifest.rules and not counts.losses:
        return ["There are none: every segment is kept."]
    known = {loss.rule: loss for loss in counts.losses}
    rows: list[tuple[object, ...]] = []
    for rule in dict.fromkeys((*facts.manifest.rules, *known)):
        loss = known.get(rule)
        rows.append(
            (rule, loss.segments, amount(loss.hours), loss.only_segments) if loss else (rule, 0, amount(0.0), 0)
        )
    lost = f"Left out: {_many(counts.segments - counts.kept, 'segment')}, {amount(counts.hours - counts.kept_hours)}."
    return [*table(("Kept where, or dropped as", "Segments dropped", "Audio", "By it alone"), rows), "", lost]


def _spreads(facts: Facts) -> list[str]:
    shown = [one for one in (facts.durations, *facts.scores) if one.count]
    rows = [(one.name, one.unit, *_quantiles(one), one.missing) for one in (facts.durations, *facts.scores)]
    lines = table(("", "Unit", "10 %", "Median", "90 %", "Missing"), rows)
    for one in shown:
        lines += ["", _title(facts, one), "", *fenced("\n".join(drawn(one)), "text")]
    return lines


def _quantiles(spread: Spread) -> tuple[str, ...]:
    values = (spread.low, spread.median, spread.high)
    return tuple(f"{value:.3g}" if spread.count else "" for value in values)


def _title(facts: Facts, spread: Spread) -> str:
    meaning = facts.meanings.get(spread.name)
    unit = f" ({cell(spread.unit)})" if spread.unit else ""
    if meaning is None:
        return f"**{cell(spread.name)}**{unit}"
    better = "higher is better" if meaning.column.higher_is_better else "lower is better"
    return f"**{cell(spread.name)}**{unit}, {better}: {cell(meaning.column.source)}"


def _licences(facts: Facts) -> list[str]:
    breakdown = [(one.licence or "none stated", one.state, one.recordings, amount(one.hours)) for one in facts.licences]
    lines = table(("Licence", "State", "Recordings", "Audio"), breakdown)
    if facts.seen:
        first, last = facts.seen
        when = f"between {first} and {last}" if first != last else f"on {first}"
        lines += ["", f"Licences were read where recordings came from, {when}."]
    if facts.credits:
        rows = [(one.recording, amount(one.hours), one.licence, one.attribution, one.source) for one in facts.credits]
        lines += ["", *table(("Recording", "Audio", "Licence", "Attribution", "Source"), rows)]
    if facts.credited > len(facts.credits):
        lines += ["", f"And {facts.credited - len(facts.credits):,} more in {FILE}."]
    return lines


def _made(facts: Facts) -> list[str]:
    rows = [(step.name, f"`{step.fingerprint}`", "; ".join(_backends(step))) for step in facts.manifest.steps]
    lines = [f"| {name} | {fingerprint} | {cell(backends)} |" for name, fingerprint, backends in rows]
    models = list(dict.fromkeys(model for step in facts.manifest.steps for used in step.used for model in used.models))
    return [
        *(["| Stage | Fingerprint | By |", "| --- | --- | --- |", *lines] if lines else []),
        *(["", *table(("Model", "Licence", "Source", "Digest"), map(_model, models))] if models else []),
        *_trained(facts),
    ]


def _backends(step: Step) -> Iterator[str]:
    yield from dict.fromkeys(f"{used.backend} {used.version}{_options(used.options)}" for used in step.used)


def _options(options: dict[str, Any]) -> str:
    found = ", ".join(f"{name}: {value}" for name, value in options.items() if "/" not in str(value))
    return f" ({found})" if found else ""


def _model(model: UsedModel) -> tuple[str, ...]:
    name = model.title or model.name.replace("\\", "/").rpartition("/")[2]
    return name, model.licence or "see its source", model.source or "the user's own, or a hub", model.digest[:64]


def _trained(facts: Facts) -> list[str]:
    return [
        f"\nThe model `{one.id}` of stage {one.stage} was trained on {amount(one.hours)} of "
        f"{'this corpus' if one.source == 'corpus' else 'other speech'}: {one.utterances:,} utterances, "
        f"{one.speakers:,} speakers."
        for one in facts.manifest.made
    ]


def _again(facts: Facts) -> list[str]:
    manifest = facts.manifest
    pins = " ".join(
        f"{name}=={version}" for name, version in manifest.versions.items() if name not in ("python", "machine")
    )
    command = f"pip install {pins}\nspeechmill run corpus.yaml" if pins else "speechmill run corpus.yaml"
    where = [f"{name} {manifest.versions[name]}" for name in _MACHINE if name in manifest.versions]
    return [
        *fenced(command, "sh"),
        "",
        "with this `corpus.yaml`:",
        "",
        *fenced(corpus_file(manifest), "yaml"),
        *(["", f"Equal results are promised for {cell(', '.join(where))}."] if where else []),
        *[f"\n{one}" for one in _more_than_the_command(facts)],
    ]


def _more_than_the_command(facts: Facts) -> Iterator[str]:
    manifest = facts.manifest
    if manifest.corrections.count:
        many = f"{manifest.corrections.count:,} corrections by people"
        yield f"{many} are in it: the folder `corrections/` of its workspace."
    if manifest.takedowns.count:
        yield f"{manifest.takedowns.count:,} recordings were taken down and are not in it."
    if manifest.made:
        yield "Models made from the corpus are used again where the folder `models/` of its workspace is."
    if manifest.splits is not None and manifest.number > 1:
        yield "What was of which split stays so: the folder `splits/` of its workspace remembers it."


def _checksums(facts: Facts, file: str) -> list[str]:
    if file:
        return [f"Of every file in `{file}`; check them with: `sha256sum -c {file}`"]
    files = facts.manifest.files
    return fenced("\n".join(f"{one.sha256}  {path.rpartition('/')[2]}" for path, one in files.items()), "text")
