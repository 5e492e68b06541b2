# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import ConfigError
from speechmill.pipeline.expressions import Coded, Floats, Rule, Truths, evaluate, iqr_outliers, names_in, parse

NAN = float("nan")


class Rows:
    """Columns given by hand."""

    def __init__(self, **columns: list) -> None:
        self.columns = columns

    @property
    def num_rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def numbers(self, name: str) -> Floats:
        return np.array(self.columns[name], dtype=np.float64)

    def truths(self, name: str) -> Truths:
        return np.array(self.columns[name], dtype=bool)

    def coded(self, name: str) -> Coded:
        values = sorted({value for value in self.columns[name] if value is not None})
        codes = [values.index(value) if value is not None else -1 for value in self.columns[name]]
        return Coded(np.array(codes), tuple(values))


def true(expression: str, **columns: list) -> list[bool]:
    return evaluate(expression, Rows(**columns)).true.tolist()


def test_comparisons_and_arithmetic():
    assert true("snr_db >= 10", snr_db=[9.9, 10, 11]) == [False, True, True]
    assert true("2 * duration - 1 > 3", duration=[2, 2.5]) == [False, True]
    assert true("max(snr_db, 5) == 5", snr_db=[1, 6]) == [True, False]
    assert true("abs(loudness + 23) <= 2", loudness=[-21, -26]) == [True, False]
    assert true("-snr_db < 0", snr_db=[1, -1]) == [True, False]


def test_a_chain_is_two_comparisons():
    verdict = evaluate("1 <= duration <= 30", Rows(duration=[0.5, 1, 30, 31]))
    assert verdict.true.tolist() == [False, True, True, False]
    assert np.asarray(verdict.threshold)[[0, 3]].tolist() == [1, 30]
    assert np.asarray(verdict.value)[[0, 3]].tolist() == [0.5, 31]


def test_what_is_missing_is_neither_true_nor_false():
    verdict = evaluate("snr_db >= 10", Rows(snr_db=[NAN, 5, 15]))
    assert verdict.true.tolist() == [False, False, True]
    assert verdict.missing.tolist() == [True, False, False]
    assert true("not snr_db >= 10", snr_db=[NAN, 5, 15]) == [False, True, False]
    assert true("snr_db != 10", snr_db=[NAN]) == [False]


def test_or_is_true_where_one_side_is_whatever_the_other_lacks():
    columns = {"snr_db": [NAN, NAN, 5], "has_text": [True, False, False]}
    verdict = evaluate("snr_db >= 10 or has_text", Rows(**columns))
    assert verdict.true.tolist() == [True, False, False]
    assert verdict.missing.tolist() == [False, True, False]


def test_and_is_false_where_one_side_is_whatever_the_other_lacks():
    verdict = evaluate("snr_db >= 10 and has_text", Rows(snr_db=[NAN, NAN, 15], has_text=[True, False, True]))
    assert verdict.true.tolist() == [False, False, True]
    assert verdict.missing.tolist() == [True, False, False]


def test_and_explains_itself_by_the_first_that_is_not_true():
    verdict = evaluate("snr_db >= 10 and duration <= 20", Rows(snr_db=[15, 5], duration=[25, 25]))
    assert np.asarray(verdict.value).tolist() == [25, 5]
    assert np.asarray(verdict.threshold).tolist() == [20, 10]


def test_an_optional_gap_is_kept():
    assert true("optional(language == 'vi')", language=["vi", "en", None]) == [True, False, True]
    assert true("language == 'vi'", language=["vi", "en", None]) == [True, False, False]


def test_text_is_compared_with_strings():
    assert true("language in ['vi', 'en']", language=["vi", "en", "de", None]) == [True, True, False, False]
    assert true("language not in ['vi', 'en']", language=["vi", "en", "de", None]) == [False, False, True, False]
    assert true("speaker != 'a'", speaker=["a", "b", None]) == [False, True, False]


def test_a_division_by_nothing_is_missing():
    verdict = evaluate("duration / num_chars < 1", Rows(duration=[1, 1], num_chars=[0, 2]))
    assert verdict.true.tolist() == [False, True]
    assert verdict.missing.tolist() == [True, False]


def test_an_outlier_is_judged_by_its_own_recording():
    # Quartiles of 1, 2, 3, 4, 100 are 2 and 4, so everything in -1..7 is inside; a lone value is its own quartile.
    rows = Rows(x=[1, 2, 3, 4, 100, 100, NAN], recording_id=["a", "a", "a", "a", "a", "b", "b"])
    verdict = evaluate("not iqr_outlier(x, 1.5)", rows)
    assert verdict.true.tolist() == [True, True, True, True, False, True, False]
    assert verdict.missing.tolist() == [False] * 6 + [True]
    assert np.asarray(verdict.value)[4] == 100


def test_quartiles_are_numpys():
    generator = np.random.default_rng(7)
    values, groups = generator.normal(size=500), generator.integers(0, 9, 500)
    found = iqr_outliers(values, groups, 0.5)
    for group in range(9):
        mine = values[groups == group]
        low, high = np.quantile(mine, [0.25, 0.75])
        outside = (mine < low - 0.5 * (high - low)) | (mine > high + 0.5 * (high - low))
        assert 0 < outside.sum() < len(mine)
        assert found[groups == group].tolist() == outside.tolist()


def test_names():
    assert names_in("min(snr_db, 3) >= 1 and optional(language == 'vi')") == {"snr_db", "language"}


def test_one_rule_has_one_spelling():
    assert Rule("duration>=1") == Rule(" duration  >= 1 ")
    assert Rule("duration>=1").expression == "duration >= 1"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("duration >=", "can't be understood"),
        ("duration", "a number where|true or false"),
        ("duration + 1", "true or false"),
        ("__import__('os').system('true') == duration", "no place in a rule"),
        ("duration.real >= 1", "no place in a rule"),
        ("duration[0] >= 1", "no place in a rule"),
        ("(lambda: 1)() >= duration", "no place in a rule"),
        ("duration ** 99 >= 1", "no place in a rule"),
        ("[x for x in 'a'] == duration", "no place in a rule"),
        ("duration >= 'long'", "is text where a number belongs"),
        ("language >= 'vi'", "compare text as in"),
        ("language == 1", "is a number where text belongs"),
        ("language in 'vi'", "compare text as in"),
        ("has_text == True", "true or false where text belongs"),
        ("duration and has_text", "is a number where something true or false belongs"),
        ("1 < 2", "names no column"),
        ("abs(1) >= 0", "names no column"),
        ("iqr_outlier(1.5)", "iqr_outlier takes a column"),
        ("iqr_outlier(duration, snr_db)", "iqr_outlier takes a column"),
        ("optional(duration)", "is a number where"),
        ("min(duration) >= 1", "take 2 or more"),
        ("max(duration, key=snr_db) >= 1", "no place in a rule"),
        (f"duration >= {10**400}", "can't be understood"),
        ("duration >= 1j", "no place in a rule"),
        ("(" * 300 + "has_text" + ")" * 300, "can't be understood"),
        ("duration >= 1" + " " * 2000, "at most 1000 characters"),
        ("duration >= 1\0", "can't be understood"),
        ("", "can't be understood"),
    ],
)
def test_anything_else_is_refused(expression, message):
    with pytest.raises(ConfigError, match=message):
        parse(expression)
