# SPDX-License-Identifier: Apache-2.0
"""Calibrate `transcript_confidence`: fit trust.toml on development speech. Test speech is not looked at.

Fits, for each kind of transcript and each set of evidence, a logistic function to the share of right words, with a
small ridge. Recognising takes some minutes; what was heard is kept in --kept.

    python benchmarks/tuning/trust.py [--kept FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
TARGET = ROOT / "src" / "speechmill" / "quality" / "trust.toml"
KEPT = Path(tempfile.gettempdir()) / "speechmill-trust"
RIDGE = 0.3  # in units of examples: the sets are small
# Kind of transcript -> sets of evidence, chosen by leaving one speaker out at a time. With a given text pace is left
# out: its weight was positive, which says how texts were damaged here, not how captions are wrong.
SETS = {
    "pocketsphinx": (("posterior", "pace", "made_up"), ("posterior", "agreement", "pace", "made_up")),
    "sidecar": (("agreement", "made_up"),),
}
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Coefficients of `transcript_confidence`, made by: python benchmarks/tuning/trust.py
# Fitted on {examples} segments of development speech: three readers of LibriSpeech test-other and three speakers of the
# Free Spoken Digit Dataset, clean and in noise; texts by pocketsphinx, true ones, and true ones damaged.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=Path, default=KEPT)
    options = parser.parse_args()
    from tuning.trust_examples import examples
    from tuning.trust_speech import DATA

    if not DATA.is_dir():
        raise SystemExit(f"no speech to calibrate on: {DATA} is absent")
    found = examples("dev", options.kept)
    lines = [HEAD.format(examples=len(found))]
    for transcript, sets in SETS.items():
        mine = [one for one in found if one.transcript == transcript]
        for columns in sets:
            features = np.array([[one.evidence[name] for name in columns] for one in mine])
            intercept, weights = fit(features, np.array([one.accuracy for one in mine]))
            lines.append(_table(transcript, columns, intercept, weights))
    TARGET.write_text("\n".join(lines), encoding="utf-8")
    print(f"{TARGET}: {len(lines) - 1} models from {len(found)} segments", file=sys.stderr)


def fit(features: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, list[float]]:
    """Logistic regression of shares, by Newton's method."""
    inputs = np.column_stack([np.ones(len(features)), features])
    ridge = RIDGE * np.eye(inputs.shape[1])
    ridge[0, 0] = 0
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        predicted = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (target - predicted) - ridge @ weights
        curvature = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + ridge
        weights = weights + np.linalg.solve(curvature, gradient)
    return float(weights[0]), weights[1:].tolist()


def _table(transcript: str, columns: Sequence[str], intercept: float, weights: Sequence[float]) -> str:
    second = 'second = "pocketsphinx"\n' if "agreement" in columns else ""
    inner = ", ".join(f"{name} = {weight:.4f}" for name, weight in zip(columns, weights, strict=True))
    return (
        f'[[model]]\ntranscript = "{transcript}"\n{second}language = "en"\nintercept = {intercept:.4f}\n'
        f"weights = {{ {inner} }}\n"
    )


if __name__ == "__main__":
    main()
