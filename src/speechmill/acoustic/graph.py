# SPDX-License-Identifier: Apache-2.0
"""What may be heard in an utterance, as a graph of states: tokens, their ways, pronunciations, pauses.

Phones are chosen by their neighbours on both sides, across words too: the first and last phone of a word stand there
once for each neighbour that makes a difference. States are numbered so that every arc leads upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from speechmill.acoustic import kernels
from speechmill.acoustic.types import Ways

SILENCE = "<sil>"
UNKNOWN = "<unk>"  # any speech; how a word that the lexicon lacks is heard
_MAX_SOURCES = 200  # the search counts a state's sources in a byte
_PAUSE_STATES = 20  # frames that a pause between words lasts at least: what is shorter is a stop consonant's
_SHARED_SOURCES = 4  # what leads to several places through more than this gets a state of its own

States = Callable[[str, str, str], tuple[int, ...]]  # phone, left and right neighbour -> states of the model
Entry = tuple[int, float]  # a state that leads to another, and the log-probability of that
Arrivals = dict[str, dict[str, list[Entry]]]  # what leads to a phone, by that phone and the one before it


class Variant(Struct, frozen=True):
    """A pronunciation of a word, as a graph is built from it. Probabilities are logarithms."""

    phones: tuple[str, ...]
    probability: float = 0.0
    pause: float = -0.7  # that a pause follows
    no_pause: float = -0.7


class Unit(Struct, frozen=True):
    """A phone's place in a graph: of which token, way and word it is."""

    token: int
    way: int
    word: int  # in its way
    variant: int  # of the word's pronunciations
    position: int  # in the pronunciation
    phone: str


class Graph(Struct, frozen=True):
    """States 0 (before the first frame) to the last (after the last frame), and where each comes from."""

    states: NDArray[np.int32]  # the model's state of each; -1: takes no frame
    unit: NDArray[np.int32]  # index of the phone's place in `units`; -1: a pause or none
    first: NDArray[np.int32]  # (states + 1,): sources of state s are those from first[s] to first[s + 1]
    sources: NDArray[np.int32]
    costs: NDArray[np.float64]  # log-probabilities
    distinct: NDArray[np.int32]  # the model's states that are in the graph
    column: NDArray[np.int32]  # place of each state's one in `distinct`; -1: takes no frame
    units: tuple[Unit, ...]
    min_frames: int  # of the shortest path

    def __len__(self) -> int:
        return len(self.states)


class _Arc(Struct):
    """A word between two nodes of the lattice of words."""

    token: int
    way: int
    word: int
    variants: Sequence[Variant]
    start: int
    end: int


class _Builder(Struct):
    """A graph under construction."""

    states_of: States
    states: list[int] = field(default_factory=lambda: [-1])
    unit: list[int] = field(default_factory=lambda: [-1])
    sources: list[list[Entry]] = field(default_factory=lambda: [[]])
    units: list[Unit] = field(default_factory=list)

    def add(self, state: int, unit: int, sources: list[Entry]) -> int:
        """Add a state; return its number."""
        while len(sources) > _MAX_SOURCES:
            sources = [(self.add(-1, -1, sources[:_MAX_SOURCES]), 0.0), *sources[_MAX_SOURCES:]]
        self.states.append(state)
        self.unit.append(unit)
        self.sources.append(sources)
        return len(self.states) - 1

    def chain(self, states: Iterable[int], unit: int, entries: list[Entry]) -> int:
        """Add states one after another; return the last."""
        last = 0
        for state in states:
            last = self.add(state, unit, entries)
            entries = [(last, 0.0)]
        return last

    def shared(self, entries: list[Entry]) -> list[Entry]:
        """Return entries that are few: where there are many, they meet in a state without a frame."""
        return entries if len(entries) <= _SHARED_SOURCES else [(self.add(-1, -1, entries), 0.0)]


def build(ways: Ways, pronounced: Mapping[str, Sequence[Variant]], states_of: States, pause: float) -> Graph:
    """Build the graph of an utterance.

    pronounced: the pronunciations of every word of `ways`. pause: log-probability of one before the first word.
    """
    arcs = list(_arcs(ways, pronounced))
    builder = _Builder(states_of)
    rights = _neighbours(arcs)
    no_pause = float(np.log1p(-np.exp(pause)))
    silence = builder.chain(states_of(SILENCE, SILENCE, SILENCE), -1, [(0, pause)])
    begin = {SILENCE: [(0, no_pause), (silence, 0.0)]}
    arrivals: dict[int, Arrivals] = {0: dict.fromkeys(rights.get(0, {SILENCE}), begin)}
    leavings: dict[int, list[tuple[str, str, Entry]]] = {}
    for arc in arcs:
        if arc.start not in arrivals:
            arrivals[arc.start] = _node(builder, leavings.pop(arc.start), rights[arc.start])
        leavings.setdefault(arc.end, []).extend(_word(builder, arc, arrivals[arc.start], rights[arc.end]))
    final = _node(builder, leavings.pop(arcs[-1].end), {SILENCE}) if arcs else arrivals[0]
    builder.add(-1, -1, [entry for entries in final[SILENCE].values() for entry in entries])
    return _finished(builder)


def _arcs(ways: Ways, pronounced: Mapping[str, Sequence[Variant]]) -> Iterable[_Arc]:
    node = last = 0
    for token, choices in enumerate(ways):
        if not choices:
            continue
        end = last + 1 + sum(len(way) - 1 for way in choices)
        for number, way in enumerate(choices):
            start = node
            for place, word in enumerate(way):
                last += place < len(way) - 1
                following = last if place < len(way) - 1 else end
                yield _Arc(token, number, place, pronounced[word], start, following)
                start = following
        node = last = end


def _neighbours(arcs: Sequence[_Arc]) -> dict[int, set[str]]:
    """Return, for each node, the phones that may follow it."""
    found: dict[int, set[str]] = {}
    for arc in arcs:
        found.setdefault(arc.start, set()).update(variant.phones[0] for variant in arc.variants)
    if arcs:
        found[arcs[-1].end] = set()
    return found


def _word(builder: _Builder, arc: _Arc, arrivals: Arrivals, rights: set[str]) -> Iterable[tuple[str, str, Entry]]:
    """Add a word's pronunciations; yield (last phone, what must follow, exit) for each way out of it."""
    following = [*sorted(rights - {SILENCE}), SILENCE]
    for number, variant in enumerate(arc.variants):
        units = [Unit(arc.token, arc.way, arc.word, number, place, phone) for place, phone in enumerate(variant.phones)]
        base = len(builder.units)
        builder.units.extend(units)
        lefts = arrivals[variant.phones[0]]
        entered = {left: [(state, cost + variant.probability) for state, cost in lefts[left]] for left in sorted(lefts)}
        for place, phone in enumerate(variant.phones):
            left = [variant.phones[place - 1]] if place else list(entered)
            right = [variant.phones[place + 1]] if place + 1 < len(variant.phones) else following
            entered = _phone(builder, base + place, phone, [(one, entered[one]) for one in left], right)
            if place + 1 < len(variant.phones):
                entered = {phone: builder.shared(entered[right[0]])}
        for one in following:
            for state, _ in entered[one]:
                yield variant.phones[-1], one, (state, variant.pause if one == SILENCE else variant.no_pause)


def _phone(
    builder: _Builder, unit: int, phone: str, lefts: list[tuple[str, list[Entry]]], rights: Sequence[str]
) -> dict[str, list[Entry]]:
    """Add a phone once for each sequence of states that its neighbours lead to; return its exits by right neighbour."""
    by_states: dict[tuple[int, ...], tuple[dict[str, list[Entry]], list[str]]] = {}
    for left, entries in lefts:
        for right in rights:
            entered, left_for = by_states.setdefault(builder.states_of(phone, left, right), ({}, []))
            entered[left] = entries
            if right not in left_for:
                left_for.append(right)
    exits: dict[str, list[Entry]] = {right: [] for right in rights}
    for states, (entered, left_for) in by_states.items():
        last = builder.chain(states, unit, [entry for entries in entered.values() for entry in entries])
        for right in left_for:
            exits[right].append((last, 0.0))
    return exits


def _node(builder: _Builder, exits: list[tuple[str, str, Entry]], rights: set[str]) -> Arrivals:
    """Join the words that end at a node, with a pause or without, to those that start there."""
    direct: Arrivals = {right: {} for right in sorted(rights)}
    paused: list[Entry] = []
    for phone, right, entry in exits:
        if right == SILENCE:
            paused.append(entry)
        if right in direct:
            direct[right].setdefault(phone, []).append(entry)
    silence = builder.chain(_pause(builder, rights), -1, paused)
    return {
        right: {SILENCE: [(silence, 0.0)], **{phone: builder.shared(entries) for phone, entries in lefts.items()}}
        for right, lefts in direct.items()
    }


def _pause(builder: _Builder, rights: set[str]) -> list[int]:
    """Return the states of silence: between words each several times, so that it lasts."""
    states = builder.states_of(SILENCE, SILENCE, SILENCE)
    times = 1 if rights == {SILENCE} else -(-_PAUSE_STATES // len(states))
    return [state for state in states for _ in range(times)]


def _finished(builder: _Builder) -> Graph:
    counts = [len(sources) for sources in builder.sources]
    first = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=first[1:])
    flat = [entry for sources in builder.sources for entry in sources]
    states = np.array(builder.states, np.int32)
    sources = np.array([state for state, _ in flat], np.int32)
    distinct, column = np.unique(states, return_inverse=True)  # the first is -1, of state 0
    return Graph(
        states=states,
        unit=np.array(builder.unit, np.int32),
        first=first,
        sources=sources,
        costs=np.array([cost for _, cost in flat], np.float64),
        distinct=distinct[1:],
        column=(column - 1).astype(np.int32),
        units=tuple(builder.units),
        min_frames=int(kernels.shortest(states, first, sources)),
    )
