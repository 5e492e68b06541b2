# SPDX-License-Identifier: Apache-2.0
"""Licences as platforms word them: what is opened, and that nothing else is."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.types import Rights
from speechmill.sources._licences import OPEN, UNSTATED, Licence, denies, read_licence, rights_of, strictest


@pytest.mark.parametrize(
    ("text", "state", "title"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "cc-by", "CC BY 4.0"),
        ("http://www.creativecommons.org/licenses/by-sa/2.5/br/deed.pt", "cc-by", "CC BY-SA 2.5"),
        ("//creativecommons.org/licenses/by/3.0/igo/legalcode", "cc-by", "CC BY 3.0"),
        ("CC BY-SA 4.0", "cc-by", "CC BY-SA 4.0"),
        ("cc-by-4.0", "cc-by", "CC BY 4.0"),
        ("CC-BY", "cc-by", "CC BY"),
        ("CC BY-SA 2.0 de", "cc-by", "CC BY-SA 2.0"),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported", "cc-by", "CC BY-SA 3.0"),
        ("Creative Commons Attribution license (reuse allowed)", "cc-by", "CC BY"),
        ("CC0", "public-domain", "CC0"),
        ("cc0-1.0", "public-domain", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "public-domain", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.en", "public-domain", "Public Domain Mark 1.0"),
        ("http://creativecommons.org/licenses/publicdomain/", "public-domain", "Public Domain"),
        ("Public Domain", "public-domain", "Public Domain"),
        ("CC BY-NC 4.0", "standard", "CC BY-NC 4.0"),
        ("CC BY-NC-ND", "standard", "CC BY-NC-ND"),
        ("Creative Commons Attribution Non-Commercial Share Alike", "standard", "CC BY-NC-SA"),
        ("Creative Commons Attribution-NoDerivs 3.0", "standard", "CC BY-ND 3.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/", "standard", "CC BY-NC-SA 4.0"),
        (None, "unstated", None),
        ("  ", "unstated", None),
        ("Unknown", "unstated", None),
    ],
)
def test_names_and_addresses_are_read(text, state, title):
    assert (read_licence(text).state, read_licence(text).title) == (state, title)


@pytest.mark.parametrize(
    "text",
    [
        "CC BY 4.0, except for the music",
        "This is not in the public domain",
        "Public domain in the United States",
        "Licensed under https://creativecommons.org/licenses/by/4.0/ unless noted",
        "https://creativecommons.org.example.test/licenses/by/4.0/",
        "https://example.test/?x=//creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org/licenses/by/9.9/",
        "https://creativecommons.org/licenses/by-nc/4.0/#by",
        "https://creativecommons.org/licenses/sampling+/1.0/",
        "CC BY 4.0 nc",
        "CC BY 3.0 nd",
        "Attribution",
        "GFDL",
        "© 2024 Ann",
        "All rights reserved",
        "CC BY-NC\u00ad 4.0",
        "ＣＣ ＢＹ－ＮＣ",
        "CC BY 4.0" + " " * 300 + "x",
    ],
)
def test_what_is_not_wholly_an_open_licence_is_standard(text):
    assert read_licence(text).state == "standard"


_REFUSALS = [
    "NC",
    "ND",
    "nc",
    "nd",
    "NonCommercial",
    "non-commercial",
    "NoDerivatives",
    "no derivs",
    "All rights reserved",
]
_PIECES = [
    *("CC", "BY", "SA", "4.0", "3.0", "-", " ", "/", "Creative Commons", "Attribution", "ShareAlike", "CC0", "zero"),
    *("https://creativecommons.org/licenses/by/4.0/", "https://creativecommons.org/licenses/by-", "public domain"),
    *("license", "International", "Unported", "de", "(", ")", ",", "deed.en", "reuse allowed", ":", "©"),
]


@settings(max_examples=500, deadline=None)
@given(
    before=st.lists(st.sampled_from(_PIECES), max_size=6),
    refusal=st.sampled_from(_REFUSALS),
    after=st.lists(st.sampled_from(_PIECES), max_size=6),
    glue=st.sampled_from([" ", "-", "", "/"]),
)
def test_nothing_that_reserves_rights_is_open(before, refusal, after, glue):
    text = glue.join([*before, refusal, *after])
    assert read_licence(text).state == "standard"
    assert strictest(["CC0", text, "CC BY 4.0"]).state == "standard"


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=200),
    open_one=st.sampled_from(["CC BY 4.0", "CC0", "https://creativecommons.org/licenses/by/4.0/"]),
)
def test_an_open_licence_inside_other_text_opens_nothing(text, open_one):
    read = read_licence(f"{text} {open_one} {text}!")
    assert read.state not in OPEN


def test_the_strictest_of_several_statements_counts():
    assert strictest([]) == UNSTATED
    assert strictest([None, "CC BY", "https://creativecommons.org/licenses/by/4.0/"]) == Licence(
        "cc-by", "CC BY", "4.0"
    )
    assert strictest(["CC BY 4.0", "CC BY-ND 4.0"]) == Licence("standard", "CC BY-ND", "4.0")


@pytest.mark.parametrize(
    ("notice", "takes_back"),
    [
        ("© 2024 Ann", False),
        ("Copyright Ann, some rights reserved", False),
        (None, False),
        ("© 2024 Ann. ALL RIGHTS RESERVED", True),
        ("Todos los derechos reservados", True),
        ("For personal use only", True),
        ("non-commercial", True),
        ("For non-profit use", True),
        ("Research only", True),
        ("No copies without the written permission of Ann", True),
        ("Free for educational purposes only", True),
    ],
)
def test_notices_that_take_a_licence_back(notice, takes_back):
    assert denies(notice) is takes_back


def test_attribution_names_title_author_address_licence_and_day():
    licence = read_licence("CC BY-SA 4.0")
    rights = rights_of(
        licence,
        title="Hạt giống",
        author="Ann",
        url="https://x.test/1",
        evidence="cc:license in feed",
        seen="2026-11-21",
    )
    assert rights == Rights(
        "CC BY-SA 4.0",
        "cc-by",
        evidence="cc:license in feed",
        attribution='"Hạt giống" by Ann, https://x.test/1, CC BY-SA 4.0 '
        "(https://creativecommons.org/licenses/by-sa/4.0/) (seen 2026-11-21)",
        title="Hạt giống",
        author="Ann",
        url="https://x.test/1",
        seen="2026-11-21",
    )


def test_what_is_not_stated_has_no_evidence_and_no_attribution():
    rights = rights_of(UNSTATED, title="A", author=None, url="https://x.test/1", evidence="field", seen="2026-11-21")
    assert (rights.state, rights.licence, rights.evidence, rights.attribution) == ("unstated", None, None, None)


def test_dedications_have_addresses_of_their_own():
    assert read_licence("cc0-1.0").address == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert read_licence("CC BY").address is None
