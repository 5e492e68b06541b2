# SPDX-License-Identifier: Apache-2.0
"""Chinese words, by the dictionary and the hidden Markov model of jieba, in simplified and traditional script.

jieba keeps its dictionary, read once, in the machine's common temporary folder, where anybody may put another; here
it is read anew by each process (under a second) and kept nowhere.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from typing import Any

from msgspec import Struct

from speechmill.core.stage import Context

VERSION = "1"
REQUIRES = ("jieba>=0.42.1",)
LANGUAGES = frozenset({"zh", "yue"})


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How unknown words are found."""

    guess_new: bool = True  # names are in no dictionary; without it they fall apart into characters


class Backend:
    """Parts text with jieba's accurate mode."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._tokenizer: Any = None

    def split(self, text: str) -> list[str]:
        """Return words, blanks and punctuation."""
        if self._tokenizer is None:
            self._tokenizer = _opened()
        return [str(part) for part in self._tokenizer.cut(text, HMM=self._config.guess_new)]


def _opened() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its last release, of 2020, is older than what Python warns of today
        import jieba

    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer
