# SPDX-License-Identifier: Apache-2.0
"""Names and texts that formats of fields and folders can hold."""

from __future__ import annotations

import hashlib
import unicodedata

_LONGEST = 60  # characters; a name and its hash fit a file system's 255 bytes in any script


def safe_name(name: str) -> str:
    """Make a name of letters, marks, digits and "_", in any script; one that isn't so gets a hash of what it was.

    Other names stay others: two speakers never become one.

    >>> safe_name("anna"), safe_name("Bảo, the host")
    ('anna', 'Bảo__the_host_6eddddf3')
    """
    composed = unicodedata.normalize("NFC", name)
    kept = "".join(char if unicodedata.category(char)[0] in "LMN" else "_" for char in composed)[:_LONGEST]
    if kept == name and kept.strip("_"):
        return kept
    tail = f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return kept[: _LONGEST - len(tail)] + tail  # no longer than any, so that a safe name is its own


def one_line(text: str | None) -> str:
    r"""Return a text with one blank for each stretch of white space, Unicode's and line ends too.

    >>> one_line("She said\n\u00a0no \u2028")
    'She said no'
    """
    return " ".join((text or "").split())
