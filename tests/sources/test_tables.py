# SPDX-License-Identifier: Apache-2.0
"""Licences in recordings.tsv: what may be used freely, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.sources._tables import read_recordings


def state_of(licence: str, folder: Path) -> str:
    (folder / "recordings.tsv").write_text(f"path\tlicence\na.wav\t{licence}\n", encoding="utf-8")
    rights = read_recordings(folder / "recordings.tsv")["a.wav"].rights
    assert rights.licence == (licence or None)
    return rights.state


@pytest.mark.parametrize(
    ("licence", "state"),
    [
        ("CC BY", "cc-by"),
        ("cc-by-4.0", "cc-by"),
        ("CC BY-SA 3.0", "cc-by"),
        ("CC BY 3.0 US", "cc-by"),
        ("Creative Commons Attribution 4.0", "cc-by"),
        ("Creative Commons Attribution 4.0 International Public License", "cc-by"),
        ("https://creativecommons.org/licenses/by/4.0/", "cc-by"),
        ("CC BY-NC 4.0", "standard"),
        ("CC BY-ND", "standard"),
        ("Creative Commons Attribution-NonCommercial", "standard"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "standard"),
        ("CC0", "public-domain"),
        ("CC0-1.0", "public-domain"),
        ("Public Domain", "public-domain"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "public-domain"),
        ("MIT", "standard"),
        ("all rights reserved", "standard"),
        ("", "unstated"),
    ],
)
def test_licences_are_sorted_by_what_they_allow(licence, state, tmp_path):
    assert state_of(licence, tmp_path) == state


@pytest.mark.parametrize(
    "licence",
    [
        "not in the public domain",
        "not CC BY",
        "CC BY? ask Ann",
        "CC BY: no",
        "CC BY 3.0 - no",
        "CC BY 4.0, except for the music",
        "was CC BY 4.0 until 2024",
        "public domain in the USA only",
        "CC BY non profit",
        "CC BY, research only",
        "https://example.org/?like=creativecommons.org/licenses/by/4.0/",
    ],
)
def test_prose_in_which_a_licence_is_named_is_none(licence, tmp_path):
    assert state_of(licence, tmp_path) == "standard"
