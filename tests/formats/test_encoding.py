# SPDX-License-Identifier: Apache-2.0
"""Text files: byte order marks, line ends, and where a bad byte is."""

from __future__ import annotations

import codecs

import pytest

from speechmill.formats.encoding import EncodingError, read_text


@pytest.mark.parametrize(
    "content",
    [
        "đi\r\nvề\r!".encode(),
        codecs.BOM_UTF8 + "đi\nvề\n!".encode(),
        codecs.BOM_UTF16_LE + "đi\nvề\n!".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "đi\r\nvề\n!".encode("utf-16-be"),
    ],
)
def test_text_is_the_same_in_every_encoding(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert read_text(tmp_path / "a") == "đi\nvề\n!"


@pytest.mark.parametrize(
    ("content", "line", "offset"),
    [
        (b"ab\nc\xe9d", 2, 4),
        (codecs.BOM_UTF8 + b"\xff", 1, 3),
        (codecs.BOM_UTF16_LE + b"a\x00\n\x00\x00\xd8", 2, 6),
    ],
)
def test_bad_bytes_are_located(tmp_path, content, line, offset):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(EncodingError, match=f":{line}: byte {offset} is not UTF-") as caught:
        read_text(tmp_path / "a")
    assert caught.value.offset == offset
