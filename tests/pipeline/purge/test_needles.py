# SPDX-License-Identifier: Apache-2.0
"""Many byte strings are found at once, at the right places, and not inside what stays."""

import random

from speechmill.pipeline.purge import needles as module
from speechmill.pipeline.purge.needles import Needles


def test_every_place_is_found_like_by_bytes_find():
    rng = random.Random(1)
    content = bytes(rng.choices(b"abc", k=20_000))
    wanted = [content[at : at + length] for at, length in ((0, 9), (777, 12), (19_990, 10), (5_000, 8))]
    found = sorted(Needles([*wanted, b"not there"]).find(content))
    expected = sorted(
        (at, one) for one in set(wanted) for at in range(len(content)) if content[at : at + len(one)] == one
    )
    assert found == expected
    assert len(found) >= 4


def test_what_lies_over_the_end_of_a_piece_is_found(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 64)
    content = b"x" * 60 + b"needle-of-20-bytes!!" + b"y" * 100
    assert list(Needles([b"needle-of-20-bytes!!"]).find(content)) == [(60, b"needle-of-20-bytes!!")]


def test_a_longer_name_that_stays_is_no_trace():
    one = Needles([b"talk-3f9a2c"], stays=[b"talk-3f9a2c-deadbeef"])
    assert one.first(b"id talk-3f9a2c-deadbeef-0-00") is None
    assert one.first(b"id talk-3f9a2c-0-000100") == b"talk-3f9a2c"


def test_nothing_is_found_in_nothing_and_by_nothing():
    assert Needles([]).first(b"some content of some length") is None
    assert Needles([b"short"]).all == []
    assert Needles([b"long enough"]).first(b"tiny") is None
