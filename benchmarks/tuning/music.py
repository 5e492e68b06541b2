# SPDX-License-Identifier: Apache-2.0
"""Calibrate the score `music`: fit music.toml on development sounds. Test sounds are not looked at.

Speech, also in noise and over softer music, is 0; music and noise alone are 1; both sides weigh the same.

    python benchmarks/tuning/music.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
TARGET = ROOT / "src" / "speechmill" / "quality" / "music.toml"
EACH = 20  # clips of a kind
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Coefficients of the score `music`, made by: python benchmarks/tuning/music.py
# Fitted on {speech} clips of 60 readers of LibriSpeech train-clean-100, clean, in noise and over music, against {other}
# clips of made-up music (melody, chords, drums) and noise (coloured, hum, typing).
"""


def main() -> None:
    from speechmill.measures.music import NAMES, features
    from tuning.sounds import DATA, sounds
    from tuning.trust import fit

    if not DATA.is_dir():
        raise SystemExit(f"no speech to calibrate on: {DATA} is absent")
    clips = list(sounds("dev", EACH))
    inputs = np.array([list(features(clip.samples).values()) for clip in clips])
    target = np.array([float(clip.label in ("music", "noise")) for clip in clips])
    intercept, weights = fit(inputs, target)
    # The classes' sizes here are no one's: as many of either.
    intercept -= float(np.log(target.sum() / (1 - target).sum()))
    lines = [f"{name} = {weight:.4f}" for name, weight in zip(NAMES, weights, strict=True)]
    head = HEAD.format(speech=int((1 - target).sum()), other=int(target.sum()))
    TARGET.write_text(f"{head}intercept = {intercept:.4f}\n\n[weights]\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
