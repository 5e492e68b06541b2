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
    ("my e-mail is anna at example dot org", "en", ["email"]),
    ("john.doe at acme dot org", "en", ["email"]),
    ("ping 8.8.8.8", "en", ["ip"]),
    ("địa chỉ 9.9.9.9", "vi", ["ip"]),
    ("on 203.0.113.7 since Monday", "en", ["ip"]),
    ("at 2001:db8::ff00:42:8329", "en", ["ip"]),
    ("gọi 0987.654.321", "vi", ["phone"]),
    ("số 0 9 1 2 3 4 5 6 7 9", "vi", ["phone"]),
    ("máy 84 912 345 678", "vi", ["phone"]),
    ("0912345678/0987654321", "vi", ["phone", "phone"]),
    ("+1 (415) 555-2671", "en", ["phone"]),
    ("415.555.2671 or 415 555 2671", "en", ["phone", "phone"]),
    ("call 415 555 2019", "en", ["phone"]),
    ("hộ chiếu số B1234567", "vi", ["id"]),
    ("passport C12345678", "en", ["id"]),
    ("stk 19034567890123", "vi", ["number"]),
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
    # versions and headings
    ("version 1.2.3.4 is out", "en"),
    ("phiên bản 10.0.190.45", "vi"),
    ("upgrade to v2.10.3.1 now", "en"),
    ("kernel 5.15.0.91", "en"),
    ("section 3.2.1.4 says", "en"),
    ("điều 12.2.3.4 của hợp đồng", "vi"),
    ("1.1.1.1 is where it begins", "en"),
    ("mask 255.255.255.0, host 127.0.0.1, any 0.0.0.0", "en"),
    # books, laws, pages of the web
    ("ISBN 978-3-16-148410-0 and 9783161484100", "en"),
    ("ISBN 0306406152", "en"),
    ("mã ISBN 9786041234567", "vi"),
    ("Nghị định 13/2023/NĐ-CP", "vi"),
    ("số 0123456789/QĐ-UBND", "vi"),
    ("example.com/0912345678", "en"),
    ("DOI 10.1109/5.771073", "en"),
    # dates and times
    ("22/11/2026 08:30 - 09:45", "vi"),
    ("03.04.2026 10.11.2026 12.12.2026", "vi"),
    ("from 0900 to 1730, 0800-1700", "en"),
    ("at 20261122034252", "en"),
    ("seasons 2010-2011 2011-2012 2012-2013", "en"),
    ("năm 2019 2020 2021 2022", "vi"),
    # scores, pages, counting
    ("won 6-4 6-3 7-5 6-2 and 21-19 21-17", "en"),
    ("tỉ số 2-1 3-0 4-4 1-0", "vi"),
    ("pages 100-105, 110-115", "en"),
    ("pp. 215-230 2019", "en"),
    ("pages 215 230 2019", "en"),
    ("007 008 009 010", "en"),
    ("0 1 2 3 4 5 6 7 8 9", "vi"),
    ("binary 0101 1010 0011, 010101010", "en"),
    # amounts and prices
    ("500000000 đồng", "vi"),
    ("giá 12.500.000,50 đ, 15.000.000-20.000.000 đồng", "vi"),
    ("tăng +12.345.678 đồng", "vi"),
    ("84 912 345 678 đồng", "vi"),
    ("$123456789 and €987654321", "en"),
    ("299792458 m/s", "en"),
    ("8000000000 people and 104382915 votes", "en"),
    ("dân số 104382915 người", "vi"),
    ("một tỷ là 1000000000", "vi"),
    ("+10 000 000 and +12345678", "en"),
    ("ratios 1:2:3:4:5:6:7:8", "en"),
    ("std::abs and dead::beef", "en"),
    ("21.0285, 105.8542", "vi"),
    # hotlines and sites
    ("hotline 1900 1234, 113, 114", "vi"),
    ("call 1-800-273-8255", "en"),
    ("look at me dot com, find us at example dot org", "en"),
    ("anna works at example dot com", "en"),
    ("B1234567 is a part", "en"),
]


@pytest.mark.parametrize(("text", "language", "expected"), POSITIVE)
def test_it_is_found_and_its_kind_said(text, language, expected):
    assert kinds(text, language) == expected


@pytest.mark.parametrize(("text", "language"), NEGATIVE)
def test_what_is_none_is_left_alone(text, language):
    assert kinds(text, language) == []


@pytest.mark.parametrize(
    "piece", ["1 ", "1-", "a.", "a@", "a at ", "DE89 ", "1.", "9", "a.a@", "1:", "(1", "1::", "v 1.2.3.4 ", "0 9 "]
)
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
