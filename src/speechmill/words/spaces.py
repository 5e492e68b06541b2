# SPDX-License-Identifier: Apache-2.0
"""Words as blanks part them: right for most scripts."""

from __future__ import annotations

import re

from msgspec import Struct

from speechmill.core.stage import Context

VERSION = "1"
REQUIRES = ()
LANGUAGES = None

_RUN = re.compile(r"\s+|\S+")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class Backend:
    """Parts text at white space."""

    def __init__(self, config: Config, context: Context) -> None:
        pass

    def split(self, text: str) -> list[str]:
        """Return runs of blanks and runs of anything else."""
        return _RUN.findall(text)
