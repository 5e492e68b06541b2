# SPDX-License-Identifier: Apache-2.0
"""Words of a dictionary's file, whatever their case."""

from pathlib import Path

import pytest

from speechmill.core.errors import ConfigError
from speechmill.core.stage import Context
from speechmill.g2p.dictionary import Backend, Config, model_digest, rebase

CMU = ";;; a comment\nDON'T  D OW1 N T\nREAD  R EH1 D\nREAD(2)  R IY1 D\ncafe\u0301  K AE F EY\n"


@pytest.fixture
def backend(tmp_path):
    (tmp_path / "cmu.dict").write_text(CMU, encoding="utf-8")
    return Backend(rebase(Config("cmu.dict"), tmp_path), Context(Path(), Path))


@pytest.mark.parametrize("word", ["DON'T", "don't", "Don’t"])
def test_case_and_apostrophes_do_not_matter(backend, word):
    assert [variant.phones for variant in backend.pronounce([word])[0]] == [("D", "OW1", "N", "T")]


def test_variants_come_in_the_files_order(backend):
    assert [variant.phones[1] for variant in backend.pronounce(["read"])[0]] == ["EH1", "IY1"]


def test_composed_and_decomposed_are_the_same_word(backend):
    assert backend.pronounce(["café"]) == backend.pronounce(["cafe\u0301"]) != [()]


def test_a_word_that_is_not_there_has_no_pronunciation(backend):
    assert backend.pronounce(["reads", ""]) == [(), ()]


def test_a_probability_is_kept(tmp_path):
    (tmp_path / "mfa.dict").write_text("các\t0.5\tk aː˦˥\n", encoding="utf-8")
    (found,) = Backend(Config(str(tmp_path / "mfa.dict")), Context(Path(), Path)).pronounce(["các"])
    assert found[0].probability == 0.5


def test_a_file_that_is_not_there_is_an_error_with_the_command_that_makes_one(tmp_path):
    config = Config(str(tmp_path / "none.dict"))
    with pytest.raises(ConfigError, match=r"speechmill lexicon make TEXT --from graphemes -o .*none.dict"):
        model_digest(config)
