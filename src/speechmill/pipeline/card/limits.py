# SPDX-License-Identifier: Apache-2.0
"""What a user should know before they trust a dataset: said only where the facts say it."""

from __future__ import annotations

from collections.abc import Iterator

from speechmill.pipeline.card.facts import NARROW_HZ, Facts


def limits(facts: Facts) -> list[str]:
    """List known limits, as sentences of plain text."""
    if not facts.manifest.counts.kept:
        return ["Nothing is kept: the rules above drop every segment."]
    return [*_texts(facts), *_times(facts), *_who(facts), *_splits(facts), *_sound(facts), *_scores(facts)]


def _texts(facts: Facts) -> Iterator[str]:
    kept, hours = facts.manifest.counts.kept, facts.manifest.counts.kept_hours
    recognisers = {used.backend for step in facts.manifest.steps for used in step.used if used.family == "asr"}
    heard = sum(spent for backend, spent in facts.texts.items() if backend in recognisers)
    if heard:
        names = ", ".join(sorted(recognisers & set(facts.texts)))
        checked = f"; people corrected {facts.corrected} of {kept} segments" if facts.corrected else ""
        yield f"{_share(heard, hours)} of the hours have texts of a recogniser ({names}) that nobody read{checked}."
    if silent := sum(spent for backend, spent in facts.texts.items() if backend in ("", "none")):
        yield f"{_share(silent, hours)} of the hours are of recordings without any text."
    if (unnamed := facts.manifest.counts.languages.get("")) is not None:
        yield f"Of {_share(unnamed.hours, hours)} of the hours the language is not known."


def _times(facts: Facts) -> Iterator[str]:
    kept = facts.manifest.counts.kept
    if facts.without_words:
        yield f"{_share(facts.without_words, kept)} of the segments have a text, but no times of words."
    if facts.doubted:
        yield f"{_share(facts.doubted, kept)} of the segments are aligned with doubts: their times of words may be off."
    if facts.overlapped:
        yield f"In {_share(facts.overlapped, kept)} of the segments somebody else is heard, too."


def _who(facts: Facts) -> Iterator[str]:
    speakers, hours = facts.speakers, facts.manifest.counts.kept_hours
    if speakers.local:
        yield (
            f"{speakers.local} of {speakers.local + speakers.named} speakers were told apart inside one recording "
            "only: the same person in two recordings counts as two."
        )
    if speakers.unknown_hours:
        yield f"Of {_share(speakers.unknown_hours, hours)} of the hours nobody knows who speaks."


def _splits(facts: Facts) -> Iterator[str]:
    splits = facts.manifest.counts.splits
    if set(splits) == {"train"}:
        yield "There is one split, train: nothing is set apart to test on."
    elif facts.speakers.local or facts.speakers.unknown_hours:
        yield "Splits are disjoint by the speakers that are known; a person with several names may be in two."
    if facts.manifest.deduplicate is None:
        yield "It was not searched for what is there twice, but for equal files."


def _sound(facts: Facts) -> Iterator[str]:
    hours = facts.manifest.counts.kept_hours
    if facts.narrow_hours:
        yield f"{_share(facts.narrow_hours, hours)} of the hours were recorded below {NARROW_HZ // 1000} kHz."
    if facts.truncated:
        yield f"Of the recordings, {facts.truncated} end before their files say they do."
    if failed := sum(facts.failures.values()):
        worst = ", ".join(f"{count} by {reason}" for reason, count in list(facts.failures.items())[:5])
        yield f"{failed} of {facts.manifest.counts.recordings} recordings did not get through: {worst}."
    unstated = sum(one.hours for one in facts.licences if one.state in ("unstated", "failed"))
    if unstated:
        yield f"Of {_share(unstated, hours)} of the hours no licence is stated: whether they may be used is open."


def _scores(facts: Facts) -> Iterator[str]:
    for score in facts.scores:
        if score.missing:
            share = _share(score.missing, score.count + score.missing)
            yield f"The score {score.name} is missing in {share} of the segments: it could not be computed there."


def _share(part: float, whole: float) -> str:
    """Write a share so that a small one is not none.

    >>> _share(1, 3), _share(1, 5000), _share(2, 2)
    ('33 %', 'less than 1 %', '100 %')
    """
    if part >= whole:
        return "100 %"
    percent = 100 * part / whole
    return "less than 1 %" if percent < 1 else f"{min(percent, 99):.0f} %"
