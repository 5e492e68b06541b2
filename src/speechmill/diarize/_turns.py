# SPDX-License-Identifier: Apache-2.0
"""Turns out of labelled stretches of speech."""

from __future__ import annotations

from collections.abc import Sequence

from speechmill.core.types import Interval, Turn


def in_order(speech: Sequence[Interval]) -> list[Interval]:
    """Speech by start, then channel, without empty intervals."""
    return sorted((part for part in speech if part.duration > 0), key=lambda part: (part.start, part.channel, part.end))


def named(turns: Sequence[tuple[Interval, int]]) -> list[Turn]:
    """Order turns by start, then channel, and name their speakers "#1", "#2" by first appearance."""
    ordered = sorted(turns, key=lambda turn: (turn[0].start, turn[0].channel, turn[0].end))
    names: dict[int, str] = {}
    for _, speaker in ordered:
        names.setdefault(speaker, f"#{len(names) + 1}")
    return [Turn(part.start, part.duration, names[speaker], part.channel) for part, speaker in ordered]


def bridged(turns: Sequence[tuple[Interval, int]], pause_s: float) -> list[tuple[Interval, int]]:
    """Join turns of one speaker on one channel across pauses shorter than pause_s in which nobody else starts.

    turns: each channel's in the order of time.
    """
    found: list[tuple[Interval, int]] = []
    for part, speaker in sorted(turns, key=lambda turn: (turn[0].channel, turn[0].start)):
        before, who = found[-1] if found else (part, -1)
        same = who == speaker and before.channel == part.channel
        if same and part.start - before.end < pause_s:
            found[-1] = (Interval(before.start, part.end - before.start, part.channel), speaker)
        else:
            found.append((part, speaker))
    return found
