# SPDX-License-Identifier: Apache-2.0
"""What the page on text says that tokens are said as, they are."""

import re
from pathlib import Path

import pytest

from speechmill.text.spoken import spoken

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "text.md").read_text(encoding="utf-8")
SECTIONS = {"en": "### English", "vi": "### Vietnamese"}
ROWS = [
    (language, *row)
    for language, heading in SECTIONS.items()
    for row in re.findall(r"^\| `(.*)` \| (.*) \|$", PAGE.split(heading)[1].split("\n#")[0], re.MULTILINE)
]


def test_there_are_examples():
    assert len(ROWS) > 25


@pytest.mark.parametrize(("language", "written", "said"), ROWS)
def test_an_example_is_said_so(language, written, said):
    ways = spoken(written, language).ways
    assert len(ways) == 1
    assert " ".join(ways[0][0]) == said
