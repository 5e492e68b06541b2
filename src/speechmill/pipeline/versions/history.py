# SPDX-License-Identifier: Apache-2.0
"""The log of a dataset: its versions, and what each changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from speechmill.pipeline.versions.causes import rule_changes
from speechmill.pipeline.versions.manifest import Manifest
from speechmill.pipeline.versions.recordings import compare, facts_of
from speechmill.pipeline.versions.shelf import Version
from speechmill.pipeline.versions.steps import roots


class Entry(Struct, frozen=True):
    """A line of the log."""

    number: int
    fingerprint: str
    created: str
    run: str
    recordings: int
    segments: int  # kept
    hours: float  # kept
    splits: dict[str, float]  # hours
    changed: tuple[str, ...]  # since the version before
    rows: bool  # whether its segments are still there, for `dataset diff`


def log(versions: Sequence[Version]) -> list[Entry]:
    """Describe versions, given oldest first."""
    entries = []
    first: dict[str, int] = {}
    for i, version in enumerate(versions):
        manifest = version.manifest
        changed = _changed(versions[i - 1], version) if i else ["first"]
        earlier = first.setdefault(manifest.fingerprint, manifest.number)
        back = [f"as version {earlier}"] if earlier != manifest.number else []
        entries.append(
            Entry(
                number=manifest.number,
                fingerprint=manifest.fingerprint,
                created=manifest.created,
                run=manifest.run,
                recordings=manifest.counts.recordings,
                segments=manifest.counts.kept,
                hours=manifest.counts.kept_hours,
                splits={name: one.hours for name, one in manifest.counts.splits.items()},
                changed=(*back, *changed),
                rows=version.has_rows,
            )
        )
    return entries


def _changed(earlier: Version, later: Version) -> list[str]:
    """Say in words what changed; recordings are looked at one by one only where manifests tell nothing."""
    found = list(_settings(earlier.manifest, later.manifest))
    if found:
        return found
    changes = compare(facts_of(earlier), facts_of(later), ())
    return [f"{kind}: {count:,}" for kind, count in Counter(change.cause.kind for change in changes).items()]


def _settings(before: Manifest, after: Manifest) -> Iterator[str]:
    more = after.counts.recordings - before.counts.recordings
    if more:
        yield f"{more:+,} {'recording' if abs(more) == 1 else 'recordings'}"
    yield from (f"{root.stage}: {root.what}" for root in roots(before, after).values())
    if rule_changes(before, after):
        yield "rules: " + "; ".join(dict.fromkeys(rule_changes(before, after).values()))
    for field in ("corrections", "takedowns"):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{field}: {old.count} -> {new.count}"
    for field in ("deduplicate", "splits", "speakers"):
        if getattr(before, field) != getattr(after, field):
            yield field
