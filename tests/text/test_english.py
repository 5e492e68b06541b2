# SPDX-License-Identifier: Apache-2.0
"""English tokens and the ways they are said."""

from __future__ import annotations

import pytest

from speechmill.text.spoken import spoken


def likeliest(text, language="en"):
    said = spoken(text, language)
    return [" ".join(ways[0]) for ways in said.ways]


def ways(text, token=0, language="en"):
    return [" ".join(way) for way in spoken(text, language).ways[token]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # words
        ("Hello", "hello"),
        ("Don’t", "don't"),
        ("café", "café"),
        ("well-known", "well known"),
        # numbers
        ("0", "zero"),
        ("1,200", "one thousand two hundred"),
        ("1,234,567.89", "one million two hundred thirty four thousand five hundred sixty seven point eight nine"),
        ("3.14", "three point one four"),
        (".5", "zero point five"),
        ("-5", "minus five"),
        ("−12.5", "minus twelve point five"),
        ("+3", "plus three"),
        ("007", "zero zero seven"),
        ("４２", "forty two"),
        # ordinals, years, decades
        ("1st", "first"),
        ("21st", "twenty first"),
        ("112th", "one hundred twelfth"),
        ("1984", "nineteen eighty four"),
        ("2005", "two thousand five"),
        ("1990s", "nineteen nineties"),
        ("'90s", "nineties"),
        # money
        ("$43,000", "forty three thousand dollars"),
        ("$5.50", "five dollars and fifty cents"),
        ("$0.99", "ninety nine cents"),
        ("$1", "one dollar"),
        ("-$5", "minus five dollars"),
        ("€20", "twenty euros"),
        ("20€", "twenty euros"),
        ("£3.05", "three pounds and five pence"),
        ("$ 5", "five dollars"),
        ("$1.2bn", "one point two billion dollars"),
        ("$5-10", "five to ten dollars"),
        # percent, units, fractions, ranges
        ("20%", "twenty percent"),
        ("10-20%", "ten to twenty percent"),
        ("5kg", "five kilograms"),
        ("1kg", "one kilogram"),
        ("60mph", "sixty miles per hour"),
        ("-5°C", "minus five degrees celsius"),
        ("15°", "fifteen degrees"),
        ("1/2", "one half"),
        ("3/4", "three quarters"),
        ("2/3", "two thirds"),
        ("½", "one half"),
        ("2½", "two and a half"),
        ("10-20", "ten to twenty"),
        ("10–20", "ten to twenty"),
        ("1990-1995", "nineteen ninety to nineteen ninety five"),
        ("24/7", "twenty four seven"),
        # dates and times
        ("3/4/2021", "march fourth twenty twenty one"),
        ("13/4/2021", "april thirteenth twenty twenty one"),
        ("2021-04-03", "april third twenty twenty one"),
        ("10:30", "ten thirty"),
        ("10:05pm", "ten oh five p m"),
        ("10:00", "ten o'clock"),
        ("7am", "seven a m"),
        ("10am-5pm", "ten a m to five p m"),
        # telephones, addresses
        ("555-1234", "five five five one two three four"),
        ("+1-202-555-0143", "plus one two zero two five five five zero one four three"),
        ("me@site.org", "me at site dot org"),
        ("www.example.com", "w w w dot example dot com"),
        ("https://example.com/a-b", "example dot com slash a dash b"),
        # abbreviations, acronyms, letters and digits
        ("Mr.", "mister"),
        ("i.e.", "i e"),
        ("etc.", "etcetera"),
        ("U.S.", "u s"),
        ("FBI's", None),
        ("NASA", None),
        ("B2B", "b two b"),
        ("MP3", "m p three"),
        ("COVID-19", None),
        ("AT&T", None),
        ("C++", "c plus plus"),
        # signs
        ("&", "and"),
        ("@home", "at home"),
        ("#5", "number five"),
        ("#speech", "hashtag speech"),
        ("3+4=7", "three plus four equals seven"),
        ("and/or", "and or"),
    ],
)  # fmt: skip
def test_a_token_is_said(text, said):
    if said is None:  # capitals mean something only where there is a small letter too
        expected = {"FBI's": "f b i's", "NASA": "nasa", "COVID-19": "covid nineteen", "AT&T": "a t and t"}[text]
        assert likeliest(f"the {text}") == ["the", expected]
    else:
        assert likeliest(text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dr. Smith of Elm Dr. in town", "doctor smith of elm drive in town"),
        ("St. Paul lives in Main St. now", "saint paul lives in main street now"),
        ("March 4, 2021", "march fourth twenty twenty one"),
        ("4 March", "fourth march"),
        ("we march 4 miles", "we march four miles"),
        ("$5 million gift", "five million dollars gift"),
        ("5 kg and 1 km in all", "five kilograms and one kilometer in all"),
        ("No. 5, no 5", "number five no five"),
        ("paid on 3/4 in full", "paid on march fourth in full"),
        ("King Henry VIII", "king henry the eighth"),
        ("World War II was", "world war two was"),
        ("Chapter IX, I said", "chapter nine i said"),
        ("He LIVED IN the EU, hmm", "he lived in the e u hmm"),
        ("IT WAS IN THE USA", "it was in the usa"),
        ("It cost $43,000 on 3/4/2021, i.e. 20% more.",
         "it cost forty three thousand dollars on march fourth twenty twenty one i e twenty percent more"),
    ],
)  # fmt: skip
def test_neighbours_decide(text, said):
    assert " ".join(likeliest(text)) == said


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("1984", "one thousand nine hundred eighty four"),
        ("2021", "two thousand and twenty one"),
        ("100", "a hundred"),
        ("105", "one hundred and five"),
        ("101", "one oh one"),
        ("Dr.", "drive"),
        ("i.e.", "that is"),
        ("$5.50", "five fifty"),
        ("3/4/2021", "the fourth of march two thousand twenty one"),
        ("3/4/2021", "april third twenty twenty one"),
        ("3/4", "march fourth"),
        ("10:00", "ten"),
        ("10-20", "ten twenty"),
        ("https://a.com", "h t t p s colon slash slash a dot com"),
    ],
)
def test_a_token_may_be_said_otherwise(text, also):
    assert also in ways(text)


def test_the_region_orders_a_date():
    assert likeliest("3/4/2021", "en-GB") == ["april third twenty twenty one"]
    assert likeliest("3/4/2021", "en-US") == ["march fourth twenty twenty one"]
