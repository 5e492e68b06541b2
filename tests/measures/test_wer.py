# SPDX-License-Identifier: Apache-2.0
"""Error rates against counts made by hand, and against the plain recurrence."""

from __future__ import annotations

import random

import pytest

from speechmill.measures.wer import Wer, align_tokens, cer, tokens, wer


def plain_distance(first: str, second: str) -> int:
    previous = list(range(len(second) + 1))
    for i, x in enumerate(first, 1):
        current = [i]
        for j, y in enumerate(second, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (x != y)))
        previous = current
    return previous[-1]


def cost(pairs: list[tuple[int | None, int | None]], first: str, second: str) -> int:
    return sum(i is None or j is None or first[i] != second[j] for i, j in pairs)


def test_one_error_of_each_kind():
    assert wer(list("abcdefgh"), list("axcefgyh")) == Wer(1, 1, 1, 8, 0.375)


def test_same_words_have_no_errors():
    assert wer(["a", "b"], ["a", "b"]) == Wer(0, 0, 0, 2, 0.0)


def test_empty_hypothesis_deletes_everything():
    assert wer(["a", "b"], []) == Wer(0, 2, 0, 2, 1.0)


@pytest.mark.parametrize(("said", "rate"), [([], 0.0), (["uh", "huh"], 2.0)])
def test_empty_reference_counts_insertions(said, rate):
    assert wer([], said) == Wer(0, 0, len(said), 0, rate)


def test_characters():
    assert cer("kitten", "sitting") == Wer(2, 0, 1, 6, 0.5)
    assert cer("mẹ  ơi", "me\u0323 ơi").rate == 0.0


def test_characters_are_those_a_reader_sees():
    assert cer("ẹ́kọ́", "ẹ́kọ̀") == Wer(1, 0, 0, 3, 1 / 3)  # three letters, eight code points decomposed
    assert cer("กำลัง", "กำลง") == Wer(1, 0, 0, 3, 1 / 3)
    assert cer("👨‍👩‍👧 hi", "👨‍👩‍👧 hi") == Wer(0, 0, 0, 4, 0.0)


def test_alignment_names_the_pairs():
    assert align_tokens("abcde", "acdxe") == [(0, 0), (1, None), (2, 1), (3, 2), (None, 3), (4, 4)]


def test_alignment_is_minimal_monotonic_and_complete():
    rng = random.Random(7)
    for _ in range(400):
        first = "".join(rng.choices("abc", k=rng.randrange(12)))
        second = "".join(rng.choices("abc", k=rng.randrange(12)))
        pairs = align_tokens(first, second)
        assert [i for i, _ in pairs if i is not None] == list(range(len(first)))
        assert [j for _, j in pairs if j is not None] == list(range(len(second)))
        assert cost(pairs, first, second) == plain_distance(first, second)


def test_alignment_crosses_checkpoints():
    rng = random.Random(3)
    first = "".join(rng.choices("abcdef", k=700))
    second = "".join(rng.choices("abcdef", k=1100))
    assert cost(align_tokens(first, second), first, second) == plain_distance(first, second)


def test_ten_thousand_tokens():
    rng = random.Random(1)
    reference = [str(rng.randrange(500)) for _ in range(10_000)]
    hypothesis = [token for k, token in enumerate(reference) if k % 10 != 5]
    assert wer(reference, hypothesis) == Wer(0, 1000, 0, 10_000, 0.1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" - ' … ", []),
        ("Hello, WORLD!", ["hello", "world"]),
        ("rock 'n' roll", ["rock", "n", "roll"]),
        ("Xin chào mọi người", ["xin", "chào", "mọi", "người"]),
        ("mo\u0323i", ["mọi"]),
        ("co\u00adop 50%", ["coop", "50"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
    ],
)
def test_tokens(text, expected):
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hoà khoẻ, THUỶ", "vi", ["hòa", "khỏe", "thủy"]),
        ("Hoà", None, ["hoà"]),
        ("IĞDIR", "tr", ["ığdır"]),
        ("٤٢ ４２ ๔๒", None, ["42", "42", "42"]),
        ("٢٠٢١–٢٠٢٢", "ar", ["2021", "2022"]),
        ("می\u200cخواهم", "fa", ["میخواهم"]),
    ],
)
def test_tokens_of_a_language(text, language, expected):
    assert tokens(text, language) == expected


def test_spoken_and_written_numbers_are_the_same():
    written, said = "Dr. Lee paid $43,000, 5% more.", "doctor lee paid forty-three thousand dollars five percent more"
    assert wer(tokens(written, "en", numbers=True), tokens(said, "en", numbers=True)).rate == 0.0
    assert wer(tokens(written, "en"), tokens(said, "en")).rate > 0.5
    assert tokens("tăng 21%", "vi", numbers=True) == tokens("tăng hai mươi mốt phần trăm", "vi", numbers=True)


def test_numbers_without_rules_are_compared_as_written():
    assert tokens("ẹ́kọ́ 23, B2", "yo", numbers=True) == ["ẹ́kọ́", "23", "b2"]


def test_text_without_blanks_is_parted_by_a_segmenter():
    def by_two(text):
        return [text[i : i + 2] for i in range(0, len(text), 2)]

    assert tokens("我们今天，好", "zh", split=by_two) == ["我们", "今天", "好"]
    assert tokens("我们今天，好", "zh") == ["我们今天", "好"]
