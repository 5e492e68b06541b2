# SPDX-License-Identifier: Apache-2.0
"""Which results depend on corrections: those of segments. Theirs lie under a key of what was corrected, too.

So a correction makes the segments of its recording anew, and what is known of them; what was decoded, detected and
recognised before stays. One that is dropped again finds its old results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from speechmill.core.columns import adds_rows_or_columns
from speechmill.core.files import digest
from speechmill.core.types import Source
from speechmill.pipeline.packed import Packed
from speechmill.pipeline.plan import Node
from speechmill.store import corrections
from speechmill.store.ledger import Renamed


def with_corrections(sources: Sequence[Source], folder: Path) -> Sequence[Source]:
    """Give each source the corrections of its audio. `folder`: the workspace's corrections."""
    known = corrections.by_audio(folder)
    if not known:
        return sources
    return Packed((structs.replace(one, corrections=known.get(one.sha256, ())) for one in sources), Source)


def renamed(nodes: Sequence[Node], sources: Iterable[Source]) -> Renamed:
    """Return for a ledger the keys of corrected recordings, in the stages that corrections reach.

    A correction that only names a speaker changes no result: the join reads it.
    """
    names = {}
    for source in sources:
        working = [one for one in source.corrections if one.text is not None]
        if working and source.key:
            names[source.key] = digest(source.key, msgspec.json.encode(working))
    return {node.folder: names for node in nodes if names and _of_segments(node)}


def _of_segments(node: Node) -> bool:
    return any(adds_rows_or_columns(column) for column in (*node.reads, *node.writes))
