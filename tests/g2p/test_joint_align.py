# SPDX-License-Identifier: Apache-2.0
"""Letters aligned with phones in words that a reader can align."""

import numpy as np

from speechmill.g2p._joint_align import align

WORDS = {
    "shop": "ʃ o p",
    "ship": "ʃ i p",
    "hip": "h i p",
    "sip": "s i p",
    "box": "b o k s",
    "bop": "b o p",
    "hops": "h o p s",
}


def cuts(words, **options):
    """Return each word's units as text: "sh:ʃ o:o p:p"."""
    spelled = [list(f"^{word}#") for word in words]
    said = [phones.split() for phones in words.values()]
    names = [
        {name: i for i, name in enumerate(sorted({s for one in side for s in one}), 1)} for side in (spelled, said)
    ]
    arrays = [
        [np.array([names[side][symbol] for symbol in one]) for one in symbols]
        for side, symbols in enumerate((spelled, said))
    ]
    found = align(*arrays, iterations=10, size=(len(names[0]), len(names[1])), **({"end_apart": True} | options))
    shown = {}
    for word, letters, phones, cut in zip(words, spelled, said, found, strict=True):
        i = j = 0
        units = []
        for a, b in cut or ():
            units.append(f"{''.join(letters[i : i + a])}:{'+'.join(phones[j : j + b])}")
            i, j = i + a, j + b
        shown[word] = " ".join(units)
    return shown


def test_digraphs_are_one_unit_or_a_silent_letter():
    found = cuts(WORDS)
    assert found["hip"] == "^: h:h i:i p:p #:"
    assert found["box"] == "^: b:b o:o x:k+s #:"
    assert found["ship"].endswith("i:i p:p #:")


def test_the_first_letter_stands_alone_and_the_last_where_that_is_asked():
    for one in cuts(WORDS).values():
        assert one.startswith("^:")
        assert one.split()[-1].startswith("#:")


def test_too_many_phones_for_the_letters_are_no_cut():
    words = {**WORDS, "w": "d a b l j u u u"}
    assert cuts(words)["w"] == ""
    assert cuts(words)["hip"] != ""


def test_no_words_are_no_cuts():
    assert align([], [], iterations=3, size=(1, 1), end_apart=True) == []
