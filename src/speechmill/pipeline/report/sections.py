# SPDX-License-Identifier: Apache-2.0
"""The sections of the report, each from the facts to markup; what has nothing to say is left out."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from datetime import UTC, datetime

from speechmill.pipeline.expressions import thresholds_of
from speechmill.pipeline.filter import Loss
from speechmill.pipeline.reasons import meaning
from speechmill.pipeline.report import charts
from speechmill.pipeline.report.cards import cards
from speechmill.pipeline.report.facts import Distribution, Facts, Group
from speechmill.pipeline.report.markup import Html, join, tag
from speechmill.pipeline.report.samples import Sample
from speechmill.pipeline.report.units import count, duration, plain, share

MOST_ROWS = 200  # of a table in the page; the rest is counted
MOST_GROUPS = 12

Section = tuple[str, str, Html | None]  # anchor, heading, content


def body(facts: Facts, kept: Sequence[Sample], dropped: Sequence[Sample]) -> Html:
    """Return the page's body."""
    found: list[Section] = [
        ("funnel", "Where the hours went", _funnel(facts)),
        ("thresholds", "What a threshold costs", _curves(facts)),
        ("distributions", "Distributions", _histograms(facts)),
        ("groups", "Who, what, from where", _groups(facts)),
        ("kept", "Kept segments", cards(kept, "kept")),
        ("dropped", "Dropped segments", cards(dropped, "dropped")),
        ("gaps", "Gaps", _gaps(facts)),
        ("models", "Models made from the corpus", _models(facts)),
        ("failures", "Failures", _failures(facts)),
        ("warnings", "Odd recordings", _warnings(facts)),
        ("aliases", "Duplicates", _aliases(facts)),
        ("attribution", "Whose speech it is", _attributions(facts)),
        ("speed", "Speed", _speed(facts)),
    ]
    shown = [(anchor, heading, content) for anchor, heading, content in found if content is not None]
    links = [tag("li", tag("a", heading, href=f"#{anchor}")) for anchor, heading, _ in shown]
    parts = [
        tag(
            "section",
            tag("h2", heading, id=f"{anchor}-heading"),
            content,
            id=anchor,
            aria_labelledby=f"{anchor}-heading",
        )
        for anchor, heading, content in shown
    ]
    version = importlib.metadata.version("speechmill")
    footer = f"Written by speechmill {version}. This page loads nothing from anywhere: it can be sent as it is."
    return join(
        [
            tag("header", tag("div", tag("h1", facts.name), _subtitle(facts), _tiles(facts)), class_="top"),
            tag("nav", tag("ul", *links), aria_label="Sections") if links else None,
            tag("main", *parts, tag("footer", footer)),
        ]
    )


def numbers(facts: Facts) -> dict[str, object]:
    """Return what the script needs: the curves' points and where they are drawn."""
    curves = {
        found.name: {
            "thresholds": [point.threshold for point in found.curve],
            "hours": [point.hours_kept for point in found.curve],
            "labels": [_reading(found, *point) for point in found.curve],
        }
        for found in facts.distributions
        if found.curve
    }
    plot = [charts.LEFT, charts.WIDTH - charts.RIGHT, charts.TOP, charts.HEIGHT - charts.BOTTOM]
    return {"curves": curves, "plot": plot, "width": charts.WIDTH}


def _sign(found: Distribution) -> str:
    return "\u2265" if found.higher_is_better else "\u2264"


def _reading(found: Distribution, threshold: float, hours: float, segments: int) -> str:
    return f"{_sign(found)} {plain(threshold)} keeps {duration(hours)} in {count(segments, 'segment')}"


def _subtitle(facts: Facts) -> Html:
    run = facts.run
    if run is None:
        return tag("p", "No run of this workspace has finished.", class_="soft")
    begun = datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [f"run {run.run}", f"started {begun}"]
    if run.finished is None:
        parts.append("interrupted")
    else:
        parts.append(f"took {duration((run.finished - run.started) / 3600)} with {count(run.workers, 'worker')}")
    if run.peak_rss_mb:
        parts.append(f"peak memory {run.peak_rss_mb:,.0f} MB")
    return tag("p", " \u00b7 ".join(parts), class_="soft")


def _tiles(facts: Facts) -> Html:
    total = facts.funnel
    lost = total.segments_hours - total.kept_hours
    failed = len({item.recording_id for item in facts.failures})
    speech = "not measured" if facts.speech_hours is None else duration(facts.speech_hours)
    ok = f"{facts.decoded:,} of {count(facts.recordings, 'recording')} decoded"
    return tag(
        "dl",
        _tile("Audio in", duration(facts.hours), ok),
        _tile("Speech", speech, f"{share(facts.speech_hours or 0.0, facts.hours)} of the audio"),
        _tile("Kept", duration(total.kept_hours), f"{total.kept:,} of {count(total.segments, 'segment')}", "main"),
        _tile("Dropped", duration(lost), f"{share(lost, total.segments_hours)} of the hours in segments"),
        _tile("Failed", f"{failed:,}", "recordings, see Failures", "bad") if failed else None,
        _tile("Duplicates", f"{len(facts.aliases):,}", "counted once") if facts.aliases else None,
        class_="tiles",
    )


def _tile(name: str, value: str, note: str, kind: str | None = None) -> Html:
    return tag("div", tag("dt", name), tag("dd", value, class_="big"), tag("dd", note, class_="soft"), class_=kind)


def _funnel(facts: Facts) -> Html | None:
    if facts.hours == 0 and facts.funnel.segments == 0:
        return tag("p", "Nothing was decoded, so there are no hours to show.", class_="card")
    total = facts.funnel
    whole = max(facts.hours, total.segments_hours)
    steps = [
        ("Audio in", facts.hours, "step"),
        ("Speech", facts.speech_hours, "step"),
        ("In segments", total.segments_hours, "step"),
        ("Kept", total.kept_hours, "kept"),
    ]
    rows = [
        (
            tag("dt", name),
            _bar([(hours, kind)], whole),
            tag("dd", f"{duration(hours)}, {share(hours, whole)}", class_="value"),
        )
        for name, hours, kind in steps
        if hours is not None
    ]
    bars = tag("dl", *(part for row in rows for part in row), class_="funnel card")
    return tag("div", bars, _losses(facts), class_="stack")


def _bar(parts: Sequence[tuple[float, str]], whole: float, thin: str = "") -> Html:
    spans = [
        tag("span", style=f"width:{100 * hours / whole:.2f}%", class_=kind or None)
        for hours, kind in parts
        if hours > 0 < whole
    ]
    return tag("dd" if not thin else "div", *spans, class_=f"bar {thin}".strip(), aria_hidden="true")


def _losses(facts: Facts) -> Html | None:
    if not facts.funnel.segments:
        return None
    dropping = {loss.rule for loss in facts.funnel.losses}
    losses = [*facts.funnel.losses, *(Loss(rule, 0, 0.0, 0, 0.0) for rule in facts.rules if rule not in dropping)]
    if not losses:
        return tag("p", "There was no rule, so nothing was dropped.", class_="card")
    most = losses[0].hours or 1.0
    rows = [
        [
            _rule(loss.rule),
            _bar([(loss.only_hours, ""), (loss.hours - loss.only_hours, "shared")], most, "thin"),
            duration(loss.hours),
            f"{loss.segments:,}",
            duration(loss.only_hours),
            f"{loss.only_segments:,}",
        ]
        for loss in losses
    ]
    caption = "Dropped by rule. A segment may break several; \u201conly it\u201d is what no other rule drops."
    heads = ["Rule", "", "Hours", "Segments", "Only it: hours", "Only it: segments"]
    return _table(caption, heads, rows, numeric=(2, 3, 4, 5), wide=1)


def _rule(rule: str) -> Html:
    words = meaning(rule)
    return tag("span", tag("code", rule), f": {words}") if words else tag("code", rule)


def _curves(facts: Facts) -> Html | None:
    drawn = [found for found in facts.distributions if len(found.curve) > 1]
    if not drawn:
        return None
    lead = (
        "Hours kept over a score\u2019s threshold, with every other rule applied. Dashed: the threshold that was used."
    )
    return tag(
        "div", tag("p", lead, class_="soft lead"), tag("div", *(_curve(facts, found) for found in drawn), class_="grid")
    )


def _curve(facts: Facts, found: Distribution) -> Html:
    used = _thresholds(facts, found)
    if used:
        near = min(found.curve, key=lambda point: abs(point.threshold - used[0]))
        reading = f"used: {_sign(found)} {plain(used[0])}, {duration(near.hours_kept)}"
    else:
        reading = "no rule reads it"
    head = tag("div", tag("h3", found.name), tag("span", found.unit, class_="soft"), class_="head")
    rows = [
        [f"{_sign(found)} {plain(point.threshold)}", duration(point.hours_kept), f"{point.segments_kept:,}"]
        for point in found.curve
    ]
    table = _table(None, ["Threshold", "Kept", "Segments"], rows, numeric=(0, 1, 2), card=False)
    more = tag("details", tag("summary", "Numbers"), table)
    picture = charts.curve(found, used)
    return tag(
        "div", head, picture, tag("p", reading, class_="readout soft"), more, class_="card", data_curve=found.name
    )


def _thresholds(facts: Facts, found: Distribution) -> list[float]:
    return sorted({value for rule in facts.rules if meaning(rule) is None for value in thresholds_of(rule, found.name)})


def _histograms(facts: Facts) -> Html | None:
    drawn = [found for found in facts.distributions if found.histogram.edges]
    empty = [found.name for found in facts.distributions if not found.histogram.edges]
    if not facts.distributions:
        return None
    key = tag(
        "p",
        tag("i", class_="key"),
        tag("span", "kept"),
        tag("i", class_="key lost"),
        tag("span", "dropped"),
        ", in hours.",
        " The outermost bars hold what lies beyond them." if drawn else None,
        f" No segment has a value of {', '.join(empty)}." if empty else None,
        class_="soft lead",
    )
    return tag("div", key, tag("div", *(_histogram(facts, found) for found in drawn), class_="grid"))


def _histogram(facts: Facts, found: Distribution) -> Html:
    head = tag("div", tag("h3", found.name), tag("span", found.unit, class_="soft"), class_="head")
    label = f"Hours by {found.name}, kept and dropped"
    picture = charts.histogram(found.histogram, _thresholds(facts, found), label)
    notes = [found.source] if found.source else []
    if found.missing:
        notes.append(f"missing in {count(found.missing, 'segment')}, {share(found.missing, facts.funnel.segments)}")
    return tag("div", head, picture, tag("p", ". ".join(notes), class_="soft meta") if notes else None, class_="card")


def _groups(facts: Facts) -> Html | None:
    if not facts.funnel.segments:
        return None
    tables = [_group(name, groups) for name, groups in facts.groups.items()]
    return tag("div", *tables, class_="samples")


def _group(name: str, groups: Sequence[Group]) -> Html:
    most = max(group.hours for group in groups)
    shown, rest = groups[:MOST_GROUPS], groups[MOST_GROUPS:]
    rows = [
        [
            group.label,
            _bar([(group.kept_hours, "kept"), (group.hours - group.kept_hours, "")], most, "thin"),
            duration(group.kept_hours),
            duration(group.hours),
        ]
        for group in shown
    ]
    if rest:
        kept, hours = sum(group.kept_hours for group in rest), sum(group.hours for group in rest)
        rows.append([f"{len(rest):,} more", "", duration(kept), duration(hours)])
    caption = f"By {name}" + (f", {len(groups):,}" if len(groups) > 1 else "")
    return _table(caption, [name.capitalize(), "", "Kept", "All"], rows, numeric=(2, 3), wide=1)


def _gaps(facts: Facts) -> Html | None:
    rows = [[gap.name, gap.reason, f"{gap.segments:,}", duration(gap.hours)] for gap in facts.gaps]
    caption = "What some segments have no value for, and why."
    return _rows_or_none(caption, ["Missing", "Reason", "Segments", "Hours"], rows, (2, 3))


def _models(facts: Facts) -> Html | None:
    rows = [
        [
            f"{one.stage}: {one.backend}",
            one.id,
            one.source,
            duration(one.hours),
            f"{one.utterances:,}",
            f"{one.speakers:,}",
            f"{one.phones:,}",
            f"{one.words:,}",
            f"{one.guessed:,}",
            f"{one.oov:,}",
        ]
        for one in facts.models
    ]
    caption = "What was trained, on what, and how the words of the texts are pronounced: by a guess, or not at all."
    header = ["Stage", "Model", "Trained on", "Speech", "Utterances", "Speakers", "Phones", "Words", "Guessed", "None"]
    return _rows_or_none(caption, header, rows, tuple(range(3, 10)))


def _failures(facts: Facts) -> Html | None:
    if not facts.failures:
        return None
    reasons: dict[tuple[str, str], int] = {}
    for item in facts.failures:
        reasons[item.stage, item.reason] = reasons.get((item.stage, item.reason), 0) + 1
    most = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    chips = [tag("li", f"{stage}: {reason} \u00d7 {number:,}") for (stage, reason), number in most]
    rows = [
        [item.recording_id, item.uri, item.stage, item.reason, item.detail, "no" if item.permanent else "yes"]
        for item in facts.failures
    ]
    heads = ["Recording", "URI", "Stage", "Reason", "Detail", "Worth a retry"]
    return tag("div", tag("ul", *chips, class_="chips"), _rows_or_none(None, heads, rows, ()), class_="stack")


def _warnings(facts: Facts) -> Html | None:
    return _rows_or_none("Decoded, but not as it should be.", ["Recording", "What"], facts.warnings, ())


def _aliases(facts: Facts) -> Html | None:
    caption = "Recordings whose content another one has already: processed once, counted once."
    return _rows_or_none(caption, ["Recording", "Same as", "URI"], facts.aliases, ())


def _attributions(facts: Facts) -> Html | None:
    rows = [[one.recording_id, one.title, one.author, one.licence, one.uri] for one in facts.attributions]
    caption = "Recordings whose licence asks to name their authors. Every export holds the whole list: ATTRIBUTION.tsv."
    return _rows_or_none(caption, ["Recording", "Title", "Author", "Licence", "From"], rows, ())


def _speed(facts: Facts) -> Html | None:
    rows = []
    for speed in facts.speeds:
        times = f"{speed.audio_s / speed.cpu_s:,.3g}x" if speed.cpu_s > 0 and speed.audio_s > 0 else "-"
        rtf = f"{speed.cpu_s / speed.audio_s:.4f}" if speed.cpu_s > 0 and speed.audio_s > 0 else "-"
        rows.append(
            [
                speed.stage,
                f"{speed.results:,}",
                f"{speed.failed:,}",
                duration(speed.audio_s / 3600),
                duration(speed.cpu_s / 3600),
                duration(speed.wall_s / 3600),
                rtf,
                times,
            ]
        )
    heads = ["Stage", "Results", "Failed", "Audio", "CPU", "Wall", "RTF", "Real time"]
    caption = "All runs. RTF is CPU time over audio time; \u201cx\u201d is seconds of audio per CPU second of one core."
    return _rows_or_none(caption, heads, rows, tuple(range(1, 8)))


def _rows_or_none(
    caption: str | None, heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int]
) -> Html | None:
    return _table(caption, heads, rows, numeric=numeric) if rows else None


def _table(
    caption: str | None,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    wide: int | None = None,
    card: bool = True,
) -> Html:
    kinds = ["num" if index in numeric else "wide" if index == wide else "any" for index in range(len(heads))]
    top = tag("tr", *(tag("th", head, scope="col", class_=kind) for head, kind in zip(heads, kinds, strict=True)))
    lines = [
        tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows[:MOST_ROWS]
    ]
    more = tag("p", f"and {len(rows) - MOST_ROWS:,} more", class_="soft") if len(rows) > MOST_ROWS else None
    table = tag("table", tag("caption", caption) if caption else None, tag("thead", top), tag("tbody", *lines))
    return tag("div", table, more, class_="scroll card" if card else "scroll")
