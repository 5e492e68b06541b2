# SPDX-License-Identifier: Apache-2.0
"""Text files as people have them: UTF-8, or UTF-16 with a byte order mark, any line ends.

Nothing is guessed: bytes in another code page are an error that says where they are, because a wrong
guess turns into wrong words that nobody notices.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from speechmill.core.errors import FormatError


class EncodingError(FormatError):
    """Bytes that are not the text encoding they should be. `offset`: of the first bad byte in the file."""

    def __init__(self, path: Path, line: int, offset: int, encoding: str) -> None:
        super().__init__(
            f"{path}:{line}: byte {offset} is not {encoding} (is the file Latin-1 or in another code page?). "
            "Save it as UTF-8"
        )
        self.offset = offset


def read_text(path: Path) -> str:
    r"""Read a whole file without its byte order mark and with `\n` line ends. Raises EncodingError, OSError."""
    raw = path.read_bytes()
    name, mark = _encoding(raw)
    try:
        text = raw[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        good = raw[len(mark) : len(mark) + error.start].decode(name, errors="replace")
        raise EncodingError(path, good.count("\n") + 1, len(mark) + error.start, name.upper()) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(raw: bytes) -> tuple[str, bytes]:
    if raw.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", codecs.BOM_UTF16_LE
    if raw.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", codecs.BOM_UTF16_BE
    return "utf-8", codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
