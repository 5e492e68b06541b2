# SPDX-License-Identifier: Apache-2.0
"""The text's language against the one that is spoken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Utterance
from speechmill.quality import Cut, text_language

pytest.importorskip("py3langid", reason="pip install 'speechmill[langid]'")
ENGLISH = "there is iron, they say, in all our blood, and a grain or two perhaps is good"
VIETNAMESE = "xin chào các bạn, hôm nay chúng ta nói về khoa học"


@pytest.fixture(scope="module")
def backend():
    return text_language.Backend(text_language.Config(), Context(Path(), models.path))


def score(backend, text, language):
    return backend.score(Cut(np.zeros(16_000, np.float32), Utterance(text), language=language))["text_language"]


def test_text_in_the_language_spoken_is_likely(backend):
    assert score(backend, ENGLISH, "en") > 0.95
    assert score(backend, VIETNAMESE, "vi-VN") > 0.95


def test_text_in_another_language_is_not(backend):
    assert score(backend, ENGLISH, "vi") < 0.01
    assert score(backend, VIETNAMESE, "en") < 0.01


def test_codes_of_one_language_are_the_same(backend):
    norwegian = "jeg vet ikke hva de har sagt om dette, men det er ikke sant"
    assert score(backend, norwegian, "nb") == score(backend, norwegian, "no") > 0.5
    assert (
        score(backend, "我喜欢你，你喜欢我们的语音数据", "zh") > 0.95
    )  # with Cantonese and Wu, which it may be as well


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("yes it is", "en", "too-little-text"),
        (ENGLISH, "tlh", "language-not-known"),
        (ENGLISH, None, "no-language"),
        (None, "en", "no-text"),
    ],
)
def test_what_has_no_probability_says_why(backend, text, language, reason):
    with pytest.raises(Unscorable) as caught:
        score(backend, text, language)
    assert caught.value.reason == reason
