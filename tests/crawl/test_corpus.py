# SPDX-License-Identifier: Apache-2.0
"""A corpus file's remote sources are checked together before any is asked."""

from __future__ import annotations

import pytest

from speechmill.core.errors import ConfigError
from speechmill.crawl.corpus import check
from speechmill.pipeline import spec


def corpus(folder, *sources, **crawl):
    return spec.resolve({"language": "vi", "sources": list(sources), "crawl": crawl}, folder)


def test_two_sources_that_ask_for_the_same_are_refused(tmp_path):
    twice = [{"youtube": {"channel": "@adam", "limit": 3}}, {"youtube": {"channel": "@adam", "limit": 2}}]
    with pytest.raises(ConfigError, match="two sources ask for the same"):
        check(corpus(tmp_path, *twice))
    check(corpus(tmp_path, {"youtube": {"channel": "@adam"}}, {"youtube": {"channel": "@berta"}}))


def test_captions_in_no_language_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"crawl.caption_languages: 'Klingonish' is no ISO 639 code"):
        check(corpus(tmp_path, {"youtube": {"channel": "@adam"}}, caption_languages=["vi", "Klingonish"]))


def test_a_limit_of_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="limit: 0 is less than 1"):
        check(corpus(tmp_path, {"youtube": {"channel": "@adam", "limit": 0}}))
