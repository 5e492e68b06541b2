# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.types import Recording, Rights
from speechmill.exporters._attribution import source_of, write_attribution


def recording(uri: str, rights: Rights | None = None) -> Recording:
    return Recording("a", uri, "", 9.0, 16_000, 1, ("a.flac",), rights=rights)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://example.org/a.mp3?x=1", "https://example.org/a.mp3?x=1"),
        ("/home/somebody/talk.wav", "talk.wav"),
        ("C:\\Users\\somebody\\talk.wav", "talk.wav"),
        ("file:///home/somebody/my%20talk.wav", "my talk.wav"),
        ("audio/100% #1.wav", "100% #1.wav"),
    ],
)
def test_a_local_path_is_not_given_away(uri: str, source: str) -> None:
    assert source_of(recording(uri)) == source


def test_the_table_has_one_line_for_each_recording_whatever_the_cells_hold(tmp_path: Path) -> None:
    rights = Rights("CC BY 4.0", "cc-by", attribution="Ánh\tand\nothers", title="A\ttalk", seen="2026-01-02")
    write_attribution(tmp_path, [recording("x.wav", rights), recording("y.wav")])
    assert (tmp_path / "ATTRIBUTION.tsv").read_bytes().decode().split("\n") == [
        "recording_id\tlicence\tstate\tattribution\ttitle\tauthor\tsource\tevidence\tseen",
        "a\tCC BY 4.0\tcc-by\tÁnh and others\tA talk\t\tx.wav\t\t2026-01-02",
        "a\t\tunstated\t\t\t\ty.wav\t\t",
        "",
    ]
