# SPDX-License-Identifier: Apache-2.0
"""Report and card, written anew from what is left, before the last scan looks at them too."""

from __future__ import annotations

from collections.abc import Callable

from speechmill.core.errors import SpeechmillError
from speechmill.pipeline.card.write import write_dataset_card
from speechmill.pipeline.report import write_report
from speechmill.pipeline.versions.shelf import Shelf
from speechmill.store.workspace import Workspace


def write_pages(workspace: Workspace, note: Callable[[str], None]) -> None:
    """Write both; one that can't be is told of, and comes with the next run."""
    try:
        write_report(workspace.root)
    except SpeechmillError as error:
        note(f"report.html was not written anew: {error}")
    try:
        if (newest := Shelf(workspace).newest()) is not None and newest.has_rows:
            write_dataset_card(workspace, newest)
    except SpeechmillError as error:
        note(f"the dataset's card was not written anew: {error}")
