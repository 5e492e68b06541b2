# SPDX-License-Identifier: Apache-2.0
"""Wide-band PESQ estimated without a reference; see `quality._estimator` for what estimates it.

With a clean recording beside the noisy one, `pesq` has the true value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.quality import Column, Cut, _estimator

VERSION = "1"
COST = 0.001  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None
DEVICES = _estimator.DEVICES

COLUMNS = {
    "pesq_est": Column("MOS", (1.0, 4.65), True, "PESQ (ITU-T P.862.2) as a network estimates it"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: a score that others are to compare with has none."""


def model_digest(config: Config) -> str:
    """Name the weights, which come with the package."""
    return _estimator.digest()


def networks(model_path: Callable[[str], Path]) -> dict[str, bytes]:
    """Return what a server can have, by name."""
    return {_estimator.NAME: _estimator.weights()}


class Backend:
    """Scores segments with the estimate."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self._estimator = _estimator.Estimator(context.device)

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `pesq_est`. Raises Unscorable: "too-short" under 0.25 s, "silence"."""
        return {"pesq_est": float(self._estimator.scores(cut.samples)[_estimator.PESQ])}
