# SPDX-License-Identifier: Apache-2.0
"""Which segmenter a language gets, and what is said where there is none."""

from __future__ import annotations

import pytest

from speechmill import words
from speechmill.core import registry


@pytest.fixture
def installed(monkeypatch):
    """Pretend that of the segmenters that need a package only these have it."""

    def only(*names: str) -> None:
        def missing(module) -> list[str]:
            name = module.__name__.rpartition(".")[2]
            return [] if name in names or not module.REQUIRES else list(module.REQUIRES)

        monkeypatch.setattr(registry, "missing_packages", missing)
        words.choose.cache_clear()

    yield only
    words.choose.cache_clear()


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "spaces"), ("vi-VN", "spaces"), ("ko", "spaces"), (None, "spaces"), ("th", "pythainlp"),
     ("zh-Hant", "jieba"), ("ja", "icu"), ("km", "icu"), ("lo", "icu"), ("my", "icu")],
)  # fmt: skip
def test_the_specialist_comes_first(installed, language, name):
    installed("icu", "jieba", "pythainlp")
    chosen = words.choose(language)
    assert (chosen.name, chosen.notice) == (name, None)


def test_the_next_best_is_taken_where_the_specialist_is_missing(installed):
    installed("icu")
    assert words.choose("th").name == "icu"
    assert words.choose("zh").name == "icu"


def test_where_none_is_installed_the_notice_names_the_commands(installed):
    installed()
    chosen = words.choose("th")
    assert chosen.name == "graphemes"
    assert chosen.split("ภาษา") == ["ภ", "า", "ษ", "า"]
    assert chosen.notice == (
        "no word segmenter for 'th' is installed, so each character counts as a word. There are: pythainlp, icu. "
        "Install one: pip install 'pythainlp>=5' or pip install 'icu4py>=1.2'"
    )


def test_what_is_installed_names_the_way_words_are_counted(installed):
    installed("icu")
    assert words.identity() == "graphemes-1,icu-1,spaces-1"
    installed("icu", "jieba")
    assert words.identity() == "graphemes-1,icu-1,jieba-1,spaces-1"
