# SPDX-License-Identifier: Apache-2.0
"""SubRip (.srt): one file for each recording. A speaker has no place in it.

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

for cue in pysubs2.load("train/RECORDING.srt"):
    print(cue.start, cue.end, cue.text)  # ms
"""


class Backend(Subtitles):
    """Writes `<split>/<recording>.srt`."""

    suffix = ".srt"
