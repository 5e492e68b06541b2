# SPDX-License-Identifier: Apache-2.0
"""Whole visits of every open platform: listed, described, decided, and fetched where the licence lets it."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from speechmill.crawl.visit import answer_to
from speechmill.crawl.workers import Answer, Asked
from speechmill.sources import Connection, internet_archive, peertube, podcast, wikimedia_commons

from .platforms import listed, opened

_OPEN, _CLOSED, _UNSTATED, _GONE = "accept", "hold licence-standard", "hold licence-unstated", "permanent"


def _outcome(answer: Answer) -> str:
    if answer.decision is None:
        return str(answer.error.kind)
    return f"{answer.decision.verdict} {answer.decision.reason}".strip()


@pytest.mark.parametrize(
    ("module", "options", "outcomes", "requests"),
    [
        (podcast, {"feed": "https://feeds.test/show.xml"}, {_OPEN: 4, _CLOSED: 4, _UNSTATED: 2}, 14),
        (internet_archive, {"query": "x"}, {_OPEN: 8, _UNSTATED: 4, "skip language": 4, _GONE: 4}, 36),
        (peertube, {"instance": "tube.test"}, {_OPEN: 4, _CLOSED: 5, _UNSTATED: 2}, 36),
        (wikimedia_commons, {"category": "x"}, {_OPEN: 6, _CLOSED: 2, _UNSTATED: 2, _GONE: 1}, 23),
    ],
    ids=["podcast", "internet_archive", "peertube", "wikimedia_commons"],
)
def test_only_what_is_open_is_fetched_and_no_request_is_sent_twice(
    replica, tmp_path, module, options, outcomes, requests
):
    name, config = module.__name__.rpartition(".")[2], module.Config(**options)
    connection = Connection(tmp_path, proxy=replica.proxy(0))
    with opened(name, replica, tmp_path, **options) as backend:
        refs = [ref for page in listed(backend) for ref in page]
        asked = Asked(name, config, connection, "visit", language="vi", caption_languages=("vi",))
        answers = [answer_to(backend, replace(asked, ref=ref), str) for ref in refs]
    assert Counter(map(_outcome, answers)) == outcomes
    assert sum(answer.requests for answer in answers) == requests
    for answer in answers:
        accepted = answer.decision is not None and answer.decision.verdict == "accept"
        assert (answer.fetched is not None) == accepted
        assert not accepted or (answer.error is None and answer.captions[0].content.startswith(b"WEBVTT"))
        assert not accepted or answer.description.rights.attribution.endswith(")")
