# SPDX-License-Identifier: Apache-2.0
"""Small JSON files of a workspace, read as what they say they are, or refused with their name."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from speechmill.core.errors import WorkspaceError

T = TypeVar("T")


def read_document(path: Path, kind: type[T], hint: str = "") -> T:
    """Read a file as `kind`. hint: what to do where it is broken.

    Raises FileNotFoundError where there is none, WorkspaceError where it is no JSON, of another form, or nested
    deeper than anything that was written here.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path} can't be read: {error}. {hint}".rstrip()) from error
