# SPDX-License-Identifier: Apache-2.0
"""What tells who somebody is, is found; years, prices, dates, times and versions are not."""

import time

import pytest

from speechmill.text.pii import kinds

POSITIVE = [
    ("write to an.nguyen+x@mail.example.org today", "en", ["email"]),
    ("thư: lan_99@example.com.vn", "vi", ["email"]),
    ("binh at gmail dot com is mine", "en", ["email"]),
    ("là binh a còng gmail chấm com", "vi", ["email"]),
    ("gọi 0912345678 nhé", "vi", ["phone"]),
    ("gọi 0912 345 678 nhé", "vi", ["phone"]),
    ("gọi 0912.345.678.", "vi", ["phone"]),
    ("số 024 3826 1234", "vi", ["phone"]),
    ("hotline +84 912 345 678", "vi", ["phone"]),
    ("là 84912345678", "vi", ["phone"]),
    ("call (212) 555-0123 now", "en", ["phone"]),
    ("call 212-555-0123 now", "en", ["phone"]),
    ("call 1-415-555-2671", "en", ["phone"]),
    ("ring 020 7946 0958", "en", ["phone"]),
    ("ring +44 20 7946 0958", None, ["phone"]),
    ("CCCD 001099012345", "vi", ["id"]),
    ("căn cước 079 201 001 234", "vi", ["id"]),
    ("CMND 123456789", "vi", ["number"]),
    ("my number is 123-45-6789", "en", ["id"]),
    ("card 4111 1111 1111 1111", "en", ["card"]),
    ("card 4111111111111111", "en", ["card"]),
    ("amex 3782 822463 10005", "en", ["card"]),
    ("IBAN DE89 3704 0044 0532 0130 00", "de", ["iban"]),
    ("GB82WEST12345698765432", "en", ["iban"]),
    ("from 192.168.10.254", "en", ["ip"]),
    ("at 2001:0db8:0000:0000:0000:ff00:0042:8329", "en", ["ip"]),
    ("account 10230045678", "en", ["number"]),
    ("a@b.co and 0912345678", "vi", ["email", "phone"]),
]
NEGATIVE = [
    ("in 1939-1945 and 1990 2000 2010", "en"),
    ("from 1939 to 1945", "en"),
    ("on 2026-11-21 and 21.11.2026 - 23.11.2026", "en"),
    ("ngày 01-02-2026", "vi"),
    ("at 12:30:45 o'clock", "en"),
    ("it cost $1,250,000,000 or 1.250.000.000 đồng", "vi"),
    ("84.000.000.000 đồng", "vi"),
    ("10 000 000 000 people", "en"),
    ("pi is 3.14159265358979", "en"),
    ("a chance of 0.000000001", "en"),
    ("version 1.2.3 of Python 3.11.7", "en"),
    ("scores 300.400.500.600", "en"),
    ("in 2020 there were 1,234,567 of them", "en"),
    ("rooms 101, 102, 103, 104, 105", "en"),
    ("4111 1111 1111 1112 fails the check", "en"),
    ("DE89 3704 0044 0532 0130 01 is wrong", "de"),
    ("meet me at the dot on the map", "en"),
    ("page 12345678", "en"),
    ("twenty-one million and seven", "en"),
    ("the year 2026 @ home", "en"),
    ("chapter 1 2 3 4 5 6 7 8 9", "en"),
    ("", None),
]


@pytest.mark.parametrize(("text", "language", "expected"), POSITIVE)
def test_it_is_found_and_its_kind_said(text, language, expected):
    assert kinds(text, language) == expected


@pytest.mark.parametrize(("text", "language"), NEGATIVE)
def test_what_is_none_is_left_alone(text, language):
    assert kinds(text, language) == []


@pytest.mark.parametrize("piece", ["1 ", "1-", "a.", "a@", "a at ", "DE89 ", "1.", "9", "a.a@", "1:", "(1"])
def test_time_is_linear_in_the_length(piece):
    begin = time.process_time()
    kinds(piece * 20_000, "vi")
    short = time.process_time() - begin
    assert short < 5  # what is exponential takes years; what is quadratic, minutes


def test_real_transcripts_give_no_false_alarm(shared_data):
    texts = [line for path in sorted(shared_data.rglob("*.txt")) for line in path.read_text("utf-8").splitlines()]
    texts += [line for path in sorted(shared_data.rglob("*.lab")) for line in path.read_text("utf-8").splitlines()]
    assert len(texts) > 100
    assert [text for text in texts if kinds(text, "en") or kinds(text, "vi")] == []
