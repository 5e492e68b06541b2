# SPDX-License-Identifier: Apache-2.0
import pytest

from speechmill.core.conditions import check, holds
from speechmill.core.errors import ConfigError
from speechmill.core.types import Source

ONE = Source(id="a", uri="a.wav", language="vi", num_speakers=1)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        ("num_speakers != 1", False),
        ("language == 'vi'", True),
        ("language in ['en', 'vi'] and num_speakers < 3", True),
        ("not (language == 'vi')", False),
        ("speaker == None or speaker == 'An'", True),
        ("date > '2020'", False),
    ],
)
def test_conditions(condition, expected):
    assert holds(condition, ONE) is expected


@pytest.mark.parametrize("condition", ["language.upper()", "colour == 'red'", "num_speakers ==", "len(language)"])
def test_what_has_no_place_in_a_condition_is_refused(condition):
    with pytest.raises(ConfigError):
        check(condition)
