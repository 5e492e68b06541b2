# SPDX-License-Identifier: Apache-2.0
"""What `speechmill check` looks at. Nothing is altered.

rows       segments and recordings: times, words, scores, texts, duplicates
sound      canonical audio and originals
books      what refers to what: dataset, ledger, splits, versions, purges
given_out  exports

A file that can't be read at all is a finding of the check that needs it, not the end of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from speechmill.core.errors import SpeechmillError
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


def audit(workspace: Workspace, decode: int | None = None) -> list[Check]:
    """Run every check. decode: of how many recordings audio is decoded (None: of all). Raises WorkspaceError."""
    index = read_index(workspace)
    checks: dict[str, Callable[[], Check | Sequence[Check]]] = {
        "rows": lambda: check_rows(workspace),
        "audio": lambda: check_sound(workspace, decode),
        "dataset": lambda: check_dataset(workspace, index),
        "duplicate-of": lambda: check_duplicates_of(workspace),
        "ledger-parts": lambda: check_parts(workspace),
        "ledger-results": lambda: check_results(workspace),
        "splits": lambda: check_splits(workspace),
        "versions": lambda: check_versions(workspace, index),
        "exports": lambda: check_exports(workspace, index),
        "corrections": lambda: check_corrections(workspace),
        "purges": lambda: check_purges(workspace),
    }
    done: list[Check] = []
    for name, check in checks.items():
        try:
            found = check()
        except (SpeechmillError, pa.ArrowException, OSError, KeyError) as error:
            found = Check(name, 0, 1, (Finding(name, f"can't be checked: {error}"),))
        done += [found] if isinstance(found, Check) else found
    return done
