# SPDX-License-Identifier: Apache-2.0
"""Every way to pronounce words, registered or not yet written, keeps these promises."""

from pathlib import Path

import pytest

from speechmill.core import registry
from speechmill.core.stage import Context
from speechmill.formats.lexicon import Lexicon, Pronunciation, read, write
from speechmill.g2p import joint

WORDS = ["việt", "nam", "hello", "naïve", "ẹ́kọ́", "ภาษา", "我们", "한국", "мир", "كتاب", "don't", "x", "a" * 300]
ODD = ["", " ", "123", "$", "\u0301", "a b", "\x00", "😀", "^", "#", "<unk>", "\u200d"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What backends with required options are opened with."""
    folder = tmp_path_factory.mktemp("g2p")
    words = [a + b + c + d for a in "nhv" for b in "aei" for c in "mlo" for d in "aou"]
    lexicon = Lexicon({word: (Pronunciation(tuple(word)),) for word in words})
    write(folder / "small.dict", lexicon)
    joint.save(joint.train(lexicon), folder / "small.npz")
    return {"path": str(folder / "small.dict"), "model": str(folder / "small.npz"), "language": "en"}


@pytest.fixture(params=registry.names("g2p"), scope="module")
def backend(request, files):
    module = registry.load("g2p", request.param)
    if missing := registry.missing_packages(module):
        pytest.skip(f"not installed: {', '.join(missing)}")
    options = {name: value for name, value in files.items() if name in module.Config.__struct_fields__}
    return module.Backend(module.Config(**options), Context(Path(), Path))


def test_there_are_backends():
    assert set(registry.names("g2p")) >= {"vietnamese", "graphemes", "dictionary", "espeak", "joint"}


def test_each_word_has_one_answer_in_order(backend):
    together = backend.pronounce(WORDS)
    assert len(together) == len(WORDS)
    assert [backend.pronounce([word])[0] for word in WORDS] == together
    assert backend.pronounce(WORDS[::-1]) == together[::-1]
    assert backend.pronounce([]) == []


def test_no_word_raises(backend):
    answers = backend.pronounce(ODD)
    assert len(answers) == len(ODD)
    assert answers[0] == ()


def test_some_word_is_said(backend):
    assert any(backend.pronounce([*WORDS, "nama"]))


def test_pronunciations_have_phones_without_blanks_and_differ(backend):
    for variants in backend.pronounce(WORDS + ODD):
        assert len({variant.phones for variant in variants}) == len(variants)
        for variant in variants:
            assert variant.phones
            assert all(phone and phone == "".join(phone.split()) for phone in variant.phones)


def test_probabilities_are_relative_to_the_likeliest_which_comes_first(backend):
    for variants in backend.pronounce(WORDS):
        given = [variant.probability for variant in variants if variant.probability is not None]
        assert all(0 < one <= 1 for one in given)
        if len(variants) > 1 and given:
            assert max(given) == 1.0 == given[0]


def test_a_lexicon_of_the_answers_can_be_written_and_read(backend, tmp_path):
    entries = {word: variants for word, variants in zip(WORDS, backend.pronounce(WORDS), strict=True) if variants}
    if not entries:
        pytest.skip("none of these words is said by this backend")
    write(tmp_path / "made.dict", Lexicon(entries))
    assert read(tmp_path / "made.dict").entries == entries
