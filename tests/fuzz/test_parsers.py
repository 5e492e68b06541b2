# SPDX-License-Identifier: Apache-2.0
"""Every parser, given what nobody meant to write: a value that survives writing, or an error that names the file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from tests.fuzz.targets import TARGETS, Target, refused

every_target = pytest.mark.parametrize("name", sorted(TARGETS))
ABSURD = [
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\r\n", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1c", b"\xef\xbb\xbf"),
    *(b"NaN", b"inf", b"-1", b"1e308", b"1e999", b"-0", b"9" * 30, b"9" * 5000, b"\xd9\xa3", b"0" * 20),
    *(b"../../etc/passwd", b"<!DOCTYPE a>", b"&a;", b"-->", b'"', b"'", b"[" * 1500, b"{" * 1500, b"<a>" * 1500),
    *(b"\\ud800", b"&a *a", b"\t", b" ", b";;", b"WEBVTT", b"null", b"[]", b"{}"),
]
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1), st.floats(0, 0.3), st.sampled_from([b"", *ABSURD]) | st.binary(max_size=8), st.integers(0, 2)
    ),
    min_size=1,
    max_size=4,
)


def edited(seed: bytes, edits: list[tuple[float, float, bytes, int]]) -> bytes:
    """Replace stretches of a seed by others, and by themselves again."""
    for place, length, inserted, times in edits:
        start = int(place * len(seed))
        end = start + int(length * len(seed) * 0.2)
        seed = seed[:start] + inserted + seed[start:end] * times + seed[end:]
    return seed


def encodings(seed: bytes) -> Iterator[bytes]:
    """A seed in other encodings, and cut off."""
    yield from (seed, b"", seed[: len(seed) // 2], seed + seed, seed.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + seed)
    text = seed.decode("latin-1")
    yield from (text.encode("utf-16"), b"\xff\xfe" + text.encode("utf-16-be"), text.encode("utf-32"), b"\x00" + seed)
    yield from ABSURD


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder whose files need no disk, where there is such a place: parsers are given thousands."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


def attempt(target: Target, content: bytes, folder: Path) -> None:
    path = folder / f"input{target.suffix}"
    path.write_bytes(content)
    refused(target, path, folder)


@every_target
def test_what_our_own_writers_write_is_not_refused(name: str, memory: Path) -> None:
    target = TARGETS[name]
    for seed in target.seeds(memory):
        path = memory / f"input{target.suffix}"
        path.write_bytes(seed)
        assert refused(target, path, memory) is None


@every_target
def test_other_encodings_and_absurd_beginnings(name: str, memory: Path) -> None:
    target = TARGETS[name]
    for seed in target.seeds(memory):
        for content in encodings(seed):
            attempt(target, content, memory)


@every_target
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(edits=EDITS)
def test_seeds_that_were_tampered_with(name: str, memory: Path, edits: list[tuple[float, float, bytes, int]]) -> None:
    target = TARGETS[name]
    for seed in target.seeds(memory):
        attempt(target, edited(seed, edits), memory)


@every_target
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_anything_at_all(name: str, memory: Path, content: bytes) -> None:
    attempt(TARGETS[name], content, memory)
