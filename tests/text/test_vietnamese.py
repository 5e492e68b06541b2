# SPDX-License-Identifier: Apache-2.0
"""Vietnamese tokens and the ways they are said."""

from __future__ import annotations

import pytest

from speechmill.text.spoken import spoken


def likeliest(text):
    return " ".join(" ".join(ways[0]) for ways in spoken(text, "vi").ways)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Xin chào, các bạn!", "xin chào các bạn"),
        ("khoẻ, hoà thuận", "khỏe hòa thuận"),
        # numbers
        ("21 24 25 15", "hai mươi mốt hai mươi tư hai mươi lăm mười lăm"),
        ("1.234.567", "một triệu hai trăm ba mươi tư nghìn năm trăm sáu mươi bảy"),
        ("3,14", "ba phẩy mười bốn"),
        ("3,05", "ba phẩy không năm"),
        ("3.14", "ba chấm mười bốn"),
        ("1.234,5", "một nghìn hai trăm ba mươi tư phẩy năm"),
        ("-5", "âm năm"),
        ("thứ 2, thứ 4, thứ 1", "thứ hai thứ tư thứ nhất"),
        # money
        ("43.000đ", "bốn mươi ba nghìn đồng"),
        ("$43,000", "bốn mươi ba nghìn đô la"),
        ("100 USD", "một trăm đô la mỹ"),
        ("50k", "năm mươi nghìn"),
        ("5 tỷ", "năm tỷ"),
        ("$5 triệu", "năm triệu đô la"),
        ("-$5", "âm năm đô la"),
        ("20.000-30.000đ", "hai mươi nghìn đến ba mươi nghìn đồng"),
        # dates and times
        ("ngày 3/4/2021", "ngày ba tháng tư năm hai nghìn không trăm hai mươi mốt"),
        ("3/4/2021", "ngày ba tháng tư năm hai nghìn không trăm hai mươi mốt"),
        ("tháng 4/2021", "tháng tư năm hai nghìn không trăm hai mươi mốt"),
        ("tháng 4", "tháng tư"),
        ("2021-04-03", "ngày ba tháng tư năm hai nghìn không trăm hai mươi mốt"),
        ("năm 1975", "năm một nghìn chín trăm bảy mươi lăm"),
        ("10h30", "mười giờ ba mươi"),
        ("7:05", "bảy giờ năm"),
        ("8h-10h", "tám giờ đến mười giờ"),
        # percent, units, fractions, ranges, telephones
        ("20%", "hai mươi phần trăm"),
        ("20-30%", "hai mươi đến ba mươi phần trăm"),
        ("5kg", "năm ki lô gam"),
        ("5 m2", "năm mét vuông"),
        ("60km/h", "sáu mươi ki lô mét trên giờ"),
        ("37,5°C", "ba mươi bảy phẩy năm độ xê"),
        ("50.000đ/kg", "năm mươi nghìn đồng trên ki lô gam"),
        ("1/2", "một phần hai"),
        ("3/4", "ba phần tư"),
        ("2½", "hai rưỡi"),
        ("10-20", "mười đến hai mươi"),
        ("0901234567", "không chín không một hai ba bốn năm sáu bảy"),
        ("090.123.4567", "không chín không một hai ba bốn năm sáu bảy"),
        # abbreviations and Roman numerals
        ("ở TP.HCM", "ở thành phố hồ chí minh"),
        ("TP. Hà Nội", "thành phố hà nội"),
        ("PGS.TS. Lan", "phó giáo sư tiến sĩ lan"),
        ("ThS. Lan", "thạc sĩ lan"),
        ("Q.1, P5 nhé", "quận một phường năm nhé"),
        ("ở UBND", "ở ủy ban nhân dân"),
        ("v.v.", "vân vân"),
        ("thế kỷ XX", "thế kỷ hai mươi"),
        ("Đại hội XIII", "đại hội mười ba"),
        ("tăng GDP", "tăng gờ dê pê"),
        ("khối ASEAN", "khối asean"),
        ("vitamin C", "vitamin xê"),
        # signs and addresses
        ("A & B nhé", "a và bê nhé"),
        ("lan@gmail.com", "lan a còng gmail chấm com"),
    ],
)  # fmt: skip
def test_a_token_is_said(text, said):
    assert likeliest(text) == said


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("21", "hai mốt"),
        ("105", "một trăm lẻ năm"),
        ("1975", "một chín bảy lăm"),
        ("2021", "hai không hai mốt"),
        ("10h30", "mười giờ rưỡi"),
        ("5kg", "năm cân"),
        ("3/4", "ba tháng tư"),
        ("5/4", "mùng năm tháng tư"),
        ("10-20", "mười tới hai mươi"),
    ],
)
def test_a_token_may_be_said_otherwise(text, also):
    assert also in [" ".join(way) for way in spoken(text, "vi").ways[0]]


def test_real_text_is_said_in_words_of_letters(shared_data):
    text = " ".join(
        path.read_text(encoding="utf-8") for path in sorted((shared_data / "vietnamese_clips").glob("*.txt"))
    )
    said = spoken(text, "vi")
    assert len(said.words) > 30
    assert not said.unspoken
    assert all(word.word.isalpha() and word.word.islower() for word in said.words)
