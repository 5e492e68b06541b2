# SPDX-License-Identifier: Apache-2.0
"""Which split each recording is of: train, dev or test. No speaker, channel or sound is in two of them.

What hangs together goes together. What is remembered stays where it was; with it goes whoever has the same speaker or
channel. A recording that would bring two splits together is of none: it is dropped. Groups of which nothing is known
are shared out so that dev and test get their shares of the hours, and of each language, length and third of quality.
Shares and seed matter to such groups alone. The order of rows never matters: it is drawn by lot over content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechmill.core.types import SPLITS
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.expressions import Floats, Truths
from speechmill.pipeline.split_groups import Indices, Recordings
from speechmill.pipeline.split_shares import share_out
from speechmill.store.assigned import KINDS, Assigned, Kind

BETWEEN = -1  # would bring two splits together
_TRAIN = SPLITS.index("train")


class Assignment(NamedTuple):
    """What became of recordings."""

    splits: Indices  # (num_recordings,) place in SPLITS, or BETWEEN
    new: Mapping[Kind, Mapping[str, int]]  # to be remembered
    notes: tuple[str, ...]  # what a person should know: a split that is empty, and why


def assign(recordings: Recordings, milliseconds: Floats, known: Assigned, splits: Splits) -> Assignment:
    """Assign recordings to splits.

    milliseconds: (num_recordings, num_strata) what is kept of each, whole numbers; the first column is all of it.
    """
    kept = milliseconds[:, 0]
    of_recording, of_link = _known(recordings, known)
    touched = _touched(recordings, of_recording, of_link)
    torn = (touched & (touched - 1)) != 0
    group = _groups(recordings, of_link, torn)
    split_of_group = _chosen(group, np.where(torn, 0, touched), of_recording, kept)
    torn |= (touched != 0) & (touched != 1 << split_of_group[group].clip(0))
    free, shared = _shared_out(recordings.names, group, split_of_group, milliseconds, torn, splits)
    split_of_group[free] = shared
    found = np.where(torn, BETWEEN, split_of_group[group])
    silent = np.isin(group, free) & (np.bincount(group, kept, len(kept))[group] == 0)
    new = _new(recordings, found, silent, of_link)
    return Assignment(found, new, _notes(recordings, group, found, kept, splits))


def _known(recordings: Recordings, known: Assigned) -> tuple[Indices, Indices]:
    """Return the remembered split of each recording and of each link, -1 where there is none."""
    mine = known.of("recording")
    of_recording = np.array([mine.get(name, -1) for name in recordings.names], dtype=np.int64)
    tables = {kind: known.of(kind) for kind in KINDS}
    nothing: dict[str, int] = {}
    of_link = [tables.get(link.kind, nothing).get(link.name, -1) for link in recordings.links]  # type: ignore[call-overload]
    return of_recording, np.array(of_link, dtype=np.int64)


def _touched(recordings: Recordings, of_recording: Indices, of_link: Indices) -> Indices:
    """Return which splits each recording is bound to: a bit for each."""
    touched = np.where(of_recording >= 0, 1 << of_recording.clip(0), 0)
    bound = of_link[recordings.pair_links] >= 0
    bits = 1 << of_link[recordings.pair_links[bound]]
    np.bitwise_or.at(touched, recordings.pair_recordings[bound], bits)
    return np.asarray(touched)


def _groups(recordings: Recordings, of_link: Indices, torn: Truths) -> Indices:
    """Return for each recording the first of those that it hangs together with.

    A link whose split is known binds to that split and need not join: else one recording between two splits would
    take both with it.
    """
    joins = (of_link[recordings.pair_links] < 0) & ~torn[recordings.pair_recordings]
    return components(len(torn), recordings.pair_recordings[joins], recordings.pair_links[joins])


def components(num_nodes: int, nodes: Indices, links: Indices) -> Indices:
    """Return the lowest node of each node's connected component; nodes[i] and links[i] are joined.

    >>> components(4, np.array([0, 2, 2, 3]), np.array([0, 0, 1, 1])).tolist()
    [0, 1, 0, 0]
    """
    label = np.arange(num_nodes)
    num_links = int(links.max()) + 1 if len(links) else 0
    while True:
        lowest = np.full(num_links, num_nodes)
        np.minimum.at(lowest, links, label[nodes])
        joined = label.copy()
        np.minimum.at(joined, label[nodes], lowest[links])
        joined = joined[joined]
        if np.array_equal(joined, label):
            return label
        label = joined


def _chosen(group: Indices, touched: Indices, of_recording: Indices, kept: Floats) -> Indices:
    """Return the split of each group that is bound to one, else -1.

    Where a group is bound to several, it is the one of which most is kept: of remembered recordings, then of all.
    Between equals it is rather test than dev, and dev than train.
    """
    best = np.full(len(group), -1)
    weights = np.full((len(group), 2), -1.0)
    for split in range(len(SPLITS)):
        bound = (touched & (1 << split)) != 0
        has = np.bincount(group[bound], minlength=len(group)) > 0
        mine = bound & (of_recording == split)
        now = np.stack([np.bincount(group[rows], kept[rows], len(group)) for rows in (mine, bound)], axis=1)
        more = (now[:, 0] > weights[:, 0]) | ((now[:, 0] == weights[:, 0]) & (now[:, 1] >= weights[:, 1]))
        best[has & more], weights[has & more] = split, now[has & more]
    return best


def _shared_out(
    names: Sequence[str], group: Indices, bound: Indices, milliseconds: Floats, torn: Truths, splits: Splits
) -> tuple[Indices, Indices]:
    """Share out groups that are bound to no split. Returns them, and the split of each."""
    num_strata = milliseconds.shape[1]
    left = np.where(torn[:, None], 0.0, milliseconds)
    columns = [np.bincount(group, left[:, i], len(group)) for i in range(num_strata)]
    totals = np.stack(columns, axis=1).astype(np.float64)
    there = np.flatnonzero(np.bincount(group, minlength=len(group)) > 0)
    free = there[bound[there] < 0]
    mine = np.stack([totals[bound == split].sum(axis=0) for split in range(len(SPLITS))])
    by_lot = _by_lot(names, group, free, splits.seed)
    found = np.full(len(free), _TRAIN)
    found[by_lot] = share_out(totals[free][by_lot], mine, (splits.dev, splits.test))
    return free, found


def _by_lot(names: Sequence[str], group: Indices, free: Indices, seed: int) -> Indices:
    """Return the order in which groups are looked at: a hash of the seed and of the group's first name."""
    first: dict[int, str] = {}
    wanted = np.isin(group, free)
    for place, of in zip(np.flatnonzero(wanted).tolist(), group[wanted].tolist(), strict=True):
        first[of] = min(first.get(of, names[place]), names[place])
    lots = [hashlib.blake2b(f"{seed}/{first[of]}".encode(), digest_size=16).digest() for of in free.tolist()]
    return np.array(sorted(range(len(lots)), key=lots.__getitem__), dtype=np.int64)


def _new(recordings: Recordings, found: Indices, silent: Truths, of_link: Indices) -> dict[Kind, dict[str, int]]:
    """Return what is to be remembered.

    What is between splits isn't: a correction may settle it. Nor are groups of which nothing is kept and that are bound
    to nothing: they are shared out when something is.
    """
    settled = (found >= 0) & ~silent
    new: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
    names = recordings.names
    new["recording"] = {names[place]: int(found[place]) for place in np.flatnonzero(settled).tolist()}
    rows = settled[recordings.pair_recordings] & (of_link[recordings.pair_links] < 0)
    for place, number in zip(
        recordings.pair_recordings[rows].tolist(), recordings.pair_links[rows].tolist(), strict=True
    ):
        link = recordings.links[number]
        if link.kind != "sound":
            new[link.kind][link.name] = int(found[place])
    return new


def _notes(recordings: Recordings, group: Indices, found: Indices, kept: Floats, splits: Splits) -> tuple[str, ...]:
    total = kept.sum()
    notes = []
    between = found == BETWEEN
    if between.any():
        notes.append(
            f"splits: dropped as between-splits, for a speaker, a channel or sound of two splits: {int(between.sum())} "
            "recordings. What was tested on is never trained on"
        )
    if total == 0:
        return tuple(notes)
    for split, asked in (("dev", splits.dev), ("test", splits.test)):
        got = kept[found == SPLITS.index(split)].sum() / total
        if asked > 0 and not asked / 2 <= got <= asked * 2:
            why = _why(recordings, group, found, kept)
            notes.append(f"splits: {split} has {got:.1%} of the hours where {asked:.1%} were asked; {why}")
    return tuple(notes)


def _why(recordings: Recordings, group: Indices, found: Indices, kept: Floats) -> str:
    """Say how coarse the groups are, and what joins the largest."""
    settled = found >= 0
    sizes = np.bincount(group[settled], kept[settled], len(group))
    largest = int(sizes.argmax())
    members = np.flatnonzero((group == largest) & settled)
    text = f"of {int((sizes > 0).sum())} groups that can't be parted the largest has {sizes[largest] / kept.sum():.1%}"
    joining = np.bincount(recordings.pair_links[np.isin(recordings.pair_recordings, members)], minlength=1)
    if len(members) > 1 and joining.max() > 1:
        link = recordings.links[int(joining.argmax())]
        text += f", where {joining.max()} recordings have the {link.kind} {link.name!r}"
    return f"{text}. New recordings of other speakers are shared out so as to mend it"
