# SPDX-License-Identifier: Apache-2.0
"""Names and paths that others wrote: one that would lead out of its folder is refused before anything is opened.

A workspace may come from anywhere. What its tables call a recording becomes the name of files, and what they call its
audio is read and copied into exports.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from speechmill.core.errors import WorkspaceError

MAX_NAME_BYTES = 200  # of the 255 that a file system has: suffixes, times of segments
_FORBIDDEN = frozenset('/\\:*?"<>|')  # by one of the systems that read exports, or with a meaning in a path
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*[A-Za-z0-9_-]")  # what nearly all are like: a quick look will do
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


def file_name(name: str, where: str) -> str:
    """Return a name that can be one part of a path on any system. Raises WorkspaceError, which says where it stood.

    >>> file_name("talk-1a2b3c", "recordings.parquet")
    'talk-1a2b3c'
    """
    if _PLAIN_NAME.fullmatch(name) and len(name) * 4 <= MAX_NAME_BYTES:
        return name
    printable = name.isprintable() and not _FORBIDDEN & set(name)
    if not printable or not name or name != name.strip(" ."):
        raise WorkspaceError(f"{where}: {name[:60]!r} can't be a file's name. The table was not written by speechmill")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise WorkspaceError(f"{where}: {name[:60]!r}... is longer than {MAX_NAME_BYTES} bytes, too long for a file")
    return name


def inside(root: Path, relative: str, where: str) -> Path:
    """Return the path of a file below `root` that a table names. Raises WorkspaceError where it would lie elsewhere.

    Not by `..`, not by a path of its own, not by a drive of Windows, not by a link that points out of the folder.
    """
    check_inside(str(root), relative, where)
    return root / relative


def check_inside(root: str, relative: str, where: str) -> None:
    """Raise WorkspaceError as `inside` does. Takes 2 us for what we write: there may be a million recordings."""
    if leads_out(relative):
        raise WorkspaceError(f"{where}: {relative[:200]!r} does not lie below {root}; nothing outside is read")
    path = os.path.join(root, relative)
    # A folder of the workspace may be a link to another disk: what it holds is still of the workspace.
    if os.path.islink(path) and not _is_below(path, root):
        raise WorkspaceError(f"{where}: {relative[:200]!r} is a link that leads out of {root}; nothing outside is read")


def leads_out(relative: str) -> bool:
    """Tell of a path, before anything is looked at, whether it would lie outside the folder that it starts at."""
    if _PLAIN_PATH.fullmatch(relative):
        return False
    parts = PureWindowsPath(relative)  # takes both kinds of slash for what they are
    absolute = bool(parts.drive or parts.root) or PurePosixPath(relative).is_absolute()
    return absolute or ".." in parts.parts or "\0" in relative or not parts.parts


def _is_below(path: str, root: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
