# SPDX-License-Identifier: Apache-2.0
"""The Python interface: run, look, filter again.

python examples/api.py AUDIO_FOLDER WORKSPACE
"""

from __future__ import annotations

import sys

import speechmill


def main(folder: str, workspace: str) -> None:
    """Make a dataset of a folder whose audio has its text beside it, and show what came of it."""
    settings = {"language": "en", "transcript": ["sidecar"], "quality": ["snr"], "align": None, "export": []}
    summary = speechmill.run(folder, workspace, settings=settings)
    for failed in summary.failures:
        print("failed", failed.recording_id, failed.stage, failed.reason)

    # Another filter takes no stage's work; dropped segments stay, with their reasons.
    index = speechmill.filter(workspace, {"preset": "asr-broad", "rules": ["duration >= 2"]})
    print("rules", *index.rules, sep="\n  ")

    dataset = speechmill.open(workspace)
    recordings = dataset.recordings()
    for segment in dataset.segments(kept=False):
        samples = dataset.cut(recordings[segment.recording_id], segment, sampling_rate=16_000)
        verdict = ", ".join(drop.rule for drop in segment.drops) or "kept"
        print(f"{segment.id}  {len(samples) / 16_000:.2f} s  {segment.text!r}  {verdict}")


if __name__ == "__main__":  # workers are spawned: each imports this file anew
    main(*sys.argv[1:])
