# SPDX-License-Identifier: Apache-2.0
"""A workspace that somebody else made: its tables may name any file and any number."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import structs
from tests.fuzz.targets import RECORDING, SEGMENT, SOURCE

from speechmill.core import registry
from speechmill.core.errors import FormatError, LostAudio, SpeechmillError, WorkspaceError
from speechmill.core.registry import Choice
from speechmill.core.types import Recording, Segment, Source
from speechmill.formats.manifest import read_rows, write_rows
from speechmill.pipeline import batches
from speechmill.store.dataset import Dataset

OUTSIDE = (
    *("../../secret", "../secret", "/etc/passwd", "a/../../../secret", "..\\..\\secret", "C:\\secret", "C:secret"),
    *("\\\\server\\share\\secret", "recordings/\x00", ".."),
)
HOSTILE = st.sampled_from(OUTSIDE) | st.text(max_size=20)
NUMBERS = st.sampled_from([float("nan"), float("inf"), float("-inf"), -1.0, 1e308, 1e9]) | st.floats()


def workspace(root: Path, recording: Recording = RECORDING, segment: Segment = SEGMENT) -> Dataset:
    write_rows(root / "dataset" / "recordings.parquet", [recording], Recording)
    write_rows(root / "dataset" / "segments.parquet", [segment], Segment)
    return Dataset(root)


@pytest.mark.parametrize("path", OUTSIDE)
def test_audio_outside_the_workspace_is_not_read(path: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    dataset = workspace(tmp_path / "a" / "b", structs.replace(RECORDING, audio=(path,)))
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: .* does not lie below"):
        dataset.recordings()
    with pytest.raises(WorkspaceError, match="does not lie below"):
        dataset.cut(structs.replace(RECORDING, audio=(path,)), SEGMENT)


def test_audio_that_is_a_link_out_of_the_workspace_is_not_read(tmp_path: Path) -> None:
    dataset = workspace(tmp_path / "w")
    (tmp_path / "w" / "recordings").mkdir()
    (tmp_path / "w" / "recordings" / "r.flac").symlink_to("/etc/passwd")
    with pytest.raises(WorkspaceError, match="is a link that leads out"):
        dataset.recordings()


@pytest.mark.parametrize("name", ["../r", "a/b", "", ".", "C:r", "r\n", "x" * 300])
def test_an_id_that_can_not_name_a_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet"):
        workspace(tmp_path, structs.replace(RECORDING, id=name)).recordings()
    choice = Choice("sources", "podcast", registry.load("sources", "podcast").Config(feeds=("https://x.test/feed",)))
    batches.write_batch(tmp_path, batches.query_id(choice), [structs.replace(SOURCE, id=name)])
    with pytest.raises(WorkspaceError, match=r"000001-[0-9a-f]+\.parquet"):
        batches.read_batch(tmp_path, choice)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 1e308])
def test_numbers_that_measure_nothing_are_refused(number: float, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: r lasts"):
        workspace(tmp_path, structs.replace(RECORDING, duration=number)).recordings()
    for field in ("start", "duration"):
        with pytest.raises(FormatError, match=rf"segments\.parquet: segment 'r-0' has the {field} "):
            list(workspace(tmp_path, segment=structs.replace(SEGMENT, **{field: number})).segments())
    with pytest.raises(FormatError, match="has the channel -3"):
        list(workspace(tmp_path, segment=structs.replace(SEGMENT, channel=-3)).segments())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=HOSTILE, path=HOSTILE, start=NUMBERS, duration=NUMBERS)
def test_a_hostile_row_is_refused_or_stays_inside(
    name: str, path: str, start: float, duration: float, tmp_path: Path
) -> None:
    dataset = workspace(
        tmp_path / "w",
        structs.replace(RECORDING, id=name, audio=(path,), duration=duration),
        structs.replace(SEGMENT, start=start, duration=duration),
    )
    with pytest.raises(SpeechmillError, match=r"dataset|w[/\\]") as caught:  # there is no audio at all
        dataset.cut(next(iter(dataset.recordings().values())), next(dataset.segments()))
    if isinstance(caught.value, LostAudio):
        assert caught.value.path.resolve().is_relative_to(dataset.root.resolve())


def test_a_batch_of_another_form_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.parquet", [SEGMENT], Segment)
    with pytest.raises(FormatError, match=r"x\.parquet: not a readable Parquet file"):
        read_rows(tmp_path / "x.parquet", Source)
