# SPDX-License-Identifier: Apache-2.0
"""A card for each sample: text, waveform, audio, the words under it, scores, and why it was dropped."""

from __future__ import annotations

from collections.abc import Sequence

from speechmill.core.types import Drop, Segment, Word
from speechmill.pipeline.expressions import is_name
from speechmill.pipeline.report.markup import Html, join, tag
from speechmill.pipeline.report.samples import Clip, Sample
from speechmill.pipeline.report.units import clock, plain

_UNSURE = 0.5  # a word scored below this is underlined


def cards(samples: Sequence[Sample], kind: str) -> Html | None:
    """Return the cards of kept or of dropped segments; None where there are none."""
    if not samples:
        return None
    lead = "A word plays when it is clicked; a dotted line means that its score is below 0.5."
    words = any(sample.segment.words and sample.clip for sample in samples)
    return tag(
        "div",
        tag("p", lead, class_="soft lead") if words else None,
        tag("div", *(_card(sample, kind) for sample in samples), class_="samples"),
    )


def _card(sample: Sample, kind: str) -> Html:
    segment = sample.segment
    seconds = sample.clip.seconds if sample.clip else segment.duration
    return tag(
        "article",
        tag("p", segment.text, class_="said") if segment.text else tag("p", "no text", class_="said soft"),
        _why(segment.drops),
        _picture(sample.clip) if sample.clip else None,
        _lane(segment, seconds, playable=sample.clip is not None),
        _player(sample.clip, segment) if sample.clip else None,
        tag("p", sample.missing, class_="meta") if sample.missing else None,
        _scores(segment),
        tag("div", _meta(segment), class_="meta"),
        _details(sample),
        class_=f"card sample {kind}",
    )


def _why(drops: Sequence[Drop]) -> Html | None:
    if not drops:
        return None
    return tag("ul", *(tag("li", _reason(drop)) for drop in drops), class_="chips why", aria_label="Why it was dropped")


def _reason(drop: Drop) -> str:
    if is_name(drop.rule) or (drop.value is None and drop.threshold is None):
        return f"not {drop.rule}" if is_name(drop.rule) else drop.rule
    return f"{drop.rule}: {plain(drop.value)}" if drop.value is not None else f"{drop.rule}: missing"


def _picture(clip: Clip) -> Html:
    return tag("div", clip.picture, tag("div", class_="played"), class_="track")


def _player(clip: Clip, segment: Segment) -> Html:
    cut = segment.duration - clip.seconds
    note = f"The first {clip.seconds:.1f} s of {segment.duration:.1f} s." if cut > 0.05 else None
    player = tag(
        "audio",
        controls=True,
        preload="metadata",
        src=clip.uri,
        data_seconds=clip.seconds,
        aria_label=f"Audio of {segment.id}",
    )
    return join([player, tag("p", note, class_="meta") if note else None])


def _lane(segment: Segment, seconds: float, *, playable: bool) -> Html | None:
    """Return the words at their places under the waveform."""
    inside = [word for word in segment.words if word.start - segment.start < seconds]
    if not inside or seconds <= 0:
        return None
    return tag("ol", *(_word(word, segment.start, seconds, playable=playable) for word in inside), class_="words")


def _word(word: Word, origin: float, seconds: float, *, playable: bool) -> Html:
    start = max(0.0, word.start - origin)
    width = min(word.duration, seconds - start)
    place = f"left:{100 * start / seconds:.2f}%;width:{100 * width / seconds:.2f}%"
    unsure = "unsure" if word.score is not None and word.score < _UNSURE else None
    attributes = {"start": f"{start:.3f}", "end": f"{start + word.duration:.3f}"} if playable else {}
    inner = tag(
        "button" if playable else "span",
        word.symbol,
        title=f"{word.symbol} \u00b7 {_times(word)}",
        class_=unsure,
        type="button" if playable else None,
        data_start=attributes.get("start"),
        data_end=attributes.get("end"),
    )
    return tag("li", inner, style=place)


def _times(word: Word) -> str:
    score = f", score {plain(word.score)}" if word.score is not None else ""
    return f"{word.start:.2f} to {word.end:.2f} s{score}"


def _scores(segment: Segment) -> Html | None:
    if not segment.scores:
        return None
    items = [
        tag("li", f"{name} {plain(value) if value is not None else 'none'}") for name, value in segment.scores.items()
    ]
    return tag("ul", *items, class_="chips", aria_label="Scores")


def _meta(segment: Segment) -> str:
    parts = [
        f"{segment.duration:.2f} s at {clock(segment.start)}",
        segment.speaker,
        segment.language,
        f"overlap {plain(segment.overlap)}" if segment.overlap else None,
    ]
    return " \u00b7 ".join(part for part in parts if part)


def _details(sample: Sample) -> Html:
    segment = sample.segment
    facts = [("Segment", segment.id), ("Recording", sample.uri)]
    facts += [(f"No {name}", reason) for name, reason in segment.gaps.items()]
    lines = [tag("p", f"{name}: ", tag("code", value)) for name, value in facts if value]
    words = [
        tag(
            "tr",
            tag("td", word.symbol),
            tag("td", f"{word.start:.2f}", class_="num"),
            tag("td", f"{word.duration:.2f}", class_="num"),
            tag("td", plain(word.score) if word.score is not None else "", class_="num"),
        )
        for word in segment.words
    ]
    heads = [
        tag("th", "Word", scope="col"),
        *(tag("th", head, scope="col", class_="num") for head in ("Start", "Duration", "Score")),
    ]
    table = (
        tag("div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *words)), class_="scroll")
        if words
        else None
    )
    return tag("details", tag("summary", "Details"), *lines, table)
