# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from speechmill.measures.near_text import MIN_WORDS, against, near_texts, shape

NINE = "he came at a quarter to nine"


def pairs(texts, threshold=0.8):
    found = near_texts(texts, threshold)
    return [(left, right, round(similarity, 3)) for left, right, similarity in zip(*found[1:], strict=True)]


def test_one_word_more_is_near():
    assert pairs([NINE, "so " + NINE, "good night to you all"]) == [(0, 1, 0.875)]  # 7 of 8 words


def test_below_the_threshold_nothing_is_found():
    assert pairs([NINE, "so " + NINE], 0.9) == []


def test_repeated_words_count_as_often_as_they_stand_there():
    assert pairs(["no no no no yes", "no no no yes yes"], 0.6) == [(0, 1, 0.667)]  # 4 of 6


def test_the_order_of_words_does_not_count_for_similarity():
    assert pairs(["the dog bit the man", "the man bit the dog"], 1.0) == [(0, 1, 1.0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t wait, go!", "dont wait go"),
        ("CAFE\u0301", "café"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("a\nb", "a b"),
        ("Straße", "STRASSE"),
    ],
)
def test_case_punctuation_and_encoding_do_not_count(one, other):
    assert near_texts([one, "between", other], 0.8).group.tolist() == [0, 1, 0]


def test_texts_without_words_equal_nothing():
    assert near_texts(["", None, "...", ""], 0.8).group.tolist() == [0, 1, 2, 3]


def test_short_texts_are_near_only_where_they_are_equal():
    short = " ".join("abcd"[: MIN_WORDS - 1])
    found = near_texts([short, short + " z", short], 0.5)
    assert found.group.tolist() == [0, 1, 0]
    assert found.left.tolist() == []


def test_scripts_without_blanks_are_taken_two_characters_at_a_time():
    assert pairs(["今天天气很好我们去公园", "今天天气很好我们去公园吧"]) == [(0, 1, 0.909)]  # 10 of 11
    assert pairs(["今天天气很好我们去公园", "明天下雨我不想出门了"], 0.3) == []


def test_marks_belong_to_words():
    assert near_texts(["हिन्दी", "ह न द"], 0.8).group.tolist() == [0, 1]


def test_the_result_does_not_depend_on_the_order_of_texts():
    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(40)]
    texts = [" ".join(random.choice(words, 8)) for _ in range(300)]
    order = random.permutation(300)
    found = {frozenset((left, right)) for left, right, _ in pairs(texts, 0.5)}
    shuffled = pairs([texts[i] for i in order], 0.5)
    assert len(found) == 8
    assert {frozenset((int(order[left]), int(order[right]))) for left, right, _ in shuffled} == found


def test_planted_pairs_are_found_and_nothing_else():
    random = np.random.default_rng(1)
    texts = [" ".join(f"w{number}" for number in random.integers(0, 5000, 12)) for _ in range(3000)]
    planted = [texts[i] + " more" for i in range(500)]  # 12 of 13
    found = pairs(texts + planted, 0.9)
    expected = {(i, 3000 + i) for i in range(500)}
    assert {(left, right) for left, right, _ in found} <= expected
    assert len(found) >= 499


def test_similarities_are_exact():
    random = np.random.default_rng(2)
    texts = [" ".join(f"w{number}" for number in random.integers(0, 12, 6)) for _ in range(60)]
    for left, right, similarity in pairs(texts, 0.5):
        one, other = texts[left].split(), texts[right].split()
        shared = sum(min(one.count(word), other.count(word)) for word in {*one})
        assert similarity == round(shared / (12 - shared), 3)


def test_bands_miss_few_pairs_at_the_threshold():
    for threshold in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        bands, rows = shape(threshold)
        assert (1 - threshold**rows) ** bands <= 1e-3
        assert bands * rows <= 160


def test_the_nearest_of_others_is_found():
    found = against([NINE, "something else entirely my dear", None], ["x", "oh so " + NINE, "so " + NINE], 0.7)
    assert found.other.tolist() == [2, -1, -1]
    assert found.similarity.tolist() == [0.875, 0, 0]


def test_equal_others_are_found_however_short():
    assert against(["yes", "no"], ["No!", "perhaps"], 0.8).other.tolist() == [-1, 0]


def test_of_texts_among_themselves_nothing_is_said_against_others():
    assert against([NINE, "so " + NINE, NINE], ["good night"], 0.8).other.tolist() == [-1, -1, -1]


def test_no_texts_at_all():
    assert near_texts([], 0.8).group.tolist() == []
    assert against([], ["a"], 0.8).other.tolist() == []
    assert against(["a b c d e"], [], 0.8).other.tolist() == [-1]
