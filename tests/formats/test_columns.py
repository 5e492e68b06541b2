# SPDX-License-Identifier: Apache-2.0
"""CTM and RTTM share this: channels, comments, fields."""

from __future__ import annotations

import pytest

from speechmill.core.errors import FormatError
from speechmill.formats.columns import Row, channels, field, read_rows, seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [(["1", "2"], [0, 1]), (["A", "B"], [0, 1]), (["0", "1"], [0, 1]), (["<NA>"], [0])],
)
def test_channels_count_from_zero(tmp_path, written, expected):
    rows = [Row(number, ["id", channel]) for number, channel in enumerate(written, start=1)]
    assert channels(tmp_path, rows, 1) == expected


def test_a_channel_that_is_no_number_is_refused_with_its_line(tmp_path):
    with pytest.raises(FormatError, match=":7: channel 'left'"):
        channels(tmp_path, [Row(7, ["id", "left"])], 1)


def test_comments_and_blank_lines_keep_line_numbers(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b";; a comment\r\n\r\na  b\tc\r\n")
    assert read_rows(path) == [Row(3, ["a", "b", "c"])]


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1,5", ""])
def test_times_are_finite_and_not_negative(tmp_path, text):
    with pytest.raises(FormatError, match=":2: start"):
        seconds(tmp_path, 2, text, "start")


@pytest.mark.parametrize("value", ["", "two words", "tab\there", ";;x", "no\u00a0break"])
def test_fields_hold_no_spaces(tmp_path, value):
    with pytest.raises(FormatError, match="can't be written"):
        field(tmp_path, value, "recording id", first=True)
