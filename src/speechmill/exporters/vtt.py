# SPDX-License-Identifier: Apache-2.0
"""WebVTT (.vtt): one file for each recording, who speaks as the cue's voice.

What a cue holds, and for how long, is in `speechmill.exporters._subtitles`.
"""

from __future__ import annotations

from speechmill.exporters._subtitles import Config, Subtitles

__all__ = ["REQUIRES", "UNIT", "USAGE", "VERSION", "Backend", "Config"]

VERSION = "1"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
import pysubs2

for cue in pysubs2.load("train/RECORDING.vtt"):
    print(cue.start, cue.end, cue.text)  # ms
"""


class Backend(Subtitles):
    """Writes `<split>/<recording>.vtt`."""

    suffix = ".vtt"
