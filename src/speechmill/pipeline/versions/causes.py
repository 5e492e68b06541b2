# SPDX-License-Identifier: Apache-2.0
"""Why a version differs from another: causes that are found in manifests and tables, and never guessed.

A cause is the first that made a difference: of stages only those that differ by themselves, of a corrected segment the
correction and not the alignment that followed. What nothing explains is said to be unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.pipeline.columns_of_rules import columns_of
from speechmill.pipeline.expressions import Rule
from speechmill.pipeline.versions.manifest import Manifest
from speechmill.pipeline.versions.steps import Root

NEW_AUDIO, GONE, OTHER_AUDIO = "new audio", "file gone", "other audio"
INPUT, CORRECTION, TAKEDOWN = "other text or metadata", "correction", "takedown"
FAILURE, RULES, STAGE = "failure", "rules", "stage"
DUPLICATES, SPLITS, UNEXPLAINED = "duplicates", "splits", "unexplained"
_MOST = 63  # causes have a bit each; more are one

Masks = NDArray[np.uint64]


class Cause(Struct, frozen=True):
    """Why something differs."""

    kind: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" if self.what else self.kind


class Causes:
    """Gives each cause a bit, so that a segment may have several."""

    def __init__(self) -> None:
        self._bits: dict[Cause, int] = {}

    def bit(self, kind: str, what: str = "") -> np.uint64:
        """Return the bit of a cause."""
        cause = Cause(kind, what)
        return np.uint64(1) << np.uint64(self._bits.setdefault(cause, min(len(self._bits), _MOST)))

    def bits(self, roots: Iterable[Root]) -> np.uint64:
        """Return the bits of stages together; 0: there are none."""
        found = np.uint64(0)
        for root in roots:
            found |= self.bit(STAGE, f"{root.stage}: {root.what}")
        return found

    def of(self, mask: np.uint64) -> tuple[Cause, ...]:
        """Return the causes of a mask."""
        return tuple(cause for cause, place in self._bits.items() if int(mask) >> place & 1)


def rule_changes(before: Manifest, after: Manifest) -> dict[str, str]:
    """Return the rules of one version that the other lacks, each with what became of it.

    Two that read the same columns are one that was changed: "snr_db >= 10 -> snr_db >= 20".
    """
    gone = [rule for rule in before.rules if rule not in after.rules]
    new = [rule for rule in after.rules if rule not in before.rules]
    found = {}
    for rule in list(gone):
        twin = next((one for one in new if Rule(one).names == Rule(rule).names), None)
        if twin is not None:
            found[rule] = found[twin] = f"{rule} -> {twin}"
            gone.remove(rule)
            new.remove(twin)
    return found | {rule: f"without {rule}" for rule in gone} | {rule: f"new {rule}" for rule in new}


def columns_read(rule: str) -> Sequence[str]:
    """Return the columns of stages that a rule's verdict follows from."""
    return columns_of(Rule(rule).names)
