# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechmill.exporters._names import one_line, safe_name

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)


@given(st.lists(names, unique=True, max_size=8))
@settings(max_examples=200, deadline=None)
def test_names_stay_apart_and_keep_kaldis_two_orders(found: list[str]) -> None:
    safe = [safe_name(name) for name in found]
    assert len(set(safe)) == len(found)
    rows = [(f"{name}-talk-{number}", name) for name in safe for number in (1, 10, 2)]
    by_utterance = sorted(rows, key=lambda row: row[0].encode())
    assert by_utterance == sorted(rows, key=lambda row: (row[1].encode(), row[0].encode()))


@given(names)
@example("0" * 53 + ":")
@settings(max_examples=200, deadline=None)
def test_a_name_can_be_a_folder_and_a_field(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert not safe.startswith(("-", "."))
    assert not re.search(r"[\s/\\.:#|<>\"'*?\x00-\x1f-]", safe)
    assert len(safe.encode()) <= 255
    assert safe_name(safe) == safe


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_one_line_has_no_white_space_but_single_blanks(text: str) -> None:
    assert re.fullmatch(r"(\S+( \S+)*)?", one_line(text))
