# SPDX-License-Identifier: Apache-2.0
"""What `speechmill check` looks at. Nothing is altered.

rows       segments and recordings: times, words, scores, texts, duplicates
sound      canonical audio and originals
remembered what is remembered beside the dataset
books      what refers to what: dataset, ledger, splits, versions, purges
given_out  exports

A file that can't be read at all is a finding of the check that needs it, not the end of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa

from speechmill.core.errors import SpeechmillError, WorkspaceError
from speechmill.pipeline.audit.books import (
    check_corrections,
    check_dataset,
    check_duplicates_of,
    check_parts,
    check_purges,
    check_results,
    check_splits,
    check_versions,
)
from speechmill.pipeline.audit.findings import Check, Finding
from speechmill.pipeline.audit.given_out import check_exports
from speechmill.pipeline.audit.rows import check_rows
from speechmill.pipeline.audit.sound import check_sound
from speechmill.pipeline.refilter import read_index
from speechmill.store.workspace import Workspace

__all__ = ["Check", "Finding", "audit"]


# What readers make of files that are broken in ways that nobody foresaw.
BROKEN = (SpeechmillError, pa.ArrowException, OSError, ValueError, TypeError, LookupError, msgspec.MsgspecError)


def audit(workspace: Workspace, decode: int | None = None) -> list[Check]:
    """Run every check. decode: of how many recordings audio is decoded (None: of all).

    Raises WorkspaceError where there is no dataset yet. Where only its index is lost, that is a finding.
    """
    checks: dict[str, Callable[[], Check | Sequence[Check]]] = {
        "rows": lambda: check_rows(workspace),
        "audio": lambda: check_sound(workspace, decode),
        "duplicate-of": lambda: check_duplicates_of(workspace),
        "ledger-parts": lambda: check_parts(workspace),
        "corrections": lambda: check_corrections(workspace),
        "purges": lambda: check_purges(workspace),
    }
    lost: list[Check] = []
    try:
        index = read_index(workspace)
    except WorkspaceError as error:
        if not (workspace.dataset / "segments.parquet").exists():
            raise
        again = "; make it anew with: speechmill run CORPUS"
        lost = [Check("dataset", 0, 1, (Finding("dataset/index.json", f"{error}{again}"),))]
    else:
        checks |= {
            "dataset": lambda: check_dataset(workspace, index),
            "ledger-results": lambda: check_results(workspace, index),
            "splits": lambda: check_splits(workspace, index),
            "versions": lambda: check_versions(workspace, index),
            "exports": lambda: check_exports(workspace, index),
        }
    done: list[Check] = []
    for name in sorted(checks, key=_ORDER.index):
        try:
            found = checks[name]()
        except BROKEN as error:
            found = Check(name, 0, 1, (Finding(name, f"can't be checked: {error}"),))
        done += [found] if isinstance(found, Check) else found
    return [*lost, *done]


_ORDER = (
    "rows", "audio", "dataset", "duplicate-of", "ledger-parts", "ledger-results", "splits", "versions", "exports",
    "corrections", "purges",
)  # fmt: skip
