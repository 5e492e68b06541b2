# SPDX-License-Identifier: Apache-2.0
"""A corpus's name where only ASCII is taken: of files, variables of the environment, and Kubernetes' objects."""

from __future__ import annotations

import re
import unicodedata

from speechmill.core.files import digest

_LETTERS = str.maketrans("đĐ", "dD")  # what Unicode doesn't take apart


def plain_name(name: str, filler: str = "_") -> str:
    """Return letters and digits, with fillers between. Where letters have no plain form, a digest keeps names apart.

    >>> plain_name("Bản tin 6h"), plain_name("small.talk", "-")
    ('Ban_tin_6h', 'small-talk')
    >>> plain_name("播客") == plain_name("新闻")
    False
    """
    apart = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = re.sub(r"[^A-Za-z0-9]+", filler, apart.encode("ascii", "ignore").decode()).strip(filler)
    lost = any(letter.isalnum() and not letter.isascii() for letter in apart)
    parts = [plain, digest(name)[:8] if lost else ""]
    return filler.join(part for part in parts if part) or "corpus"
