# SPDX-License-Identifier: Apache-2.0
"""A metric of a third party that does what a segment's text says, for the processes that get its environment."""

import textwrap

PLUGIN = '''
"""A metric that does what a segment's text says."""
import ctypes, errno, os, signal, time
from msgspec import Struct
from speechmill.quality import Column
VERSION = "1"
REQUIRES = ()
COLUMNS = {"fault": Column("", (0.0, 1.0), True, "test")}
class Config(Struct, frozen=True, forbid_unknown_fields=True): ...
class Backend:
    def __init__(self, config, context): ...
    def score(self, cut):
        segment = cut.segment
        if segment.text == "segfault":
            ctypes.string_at(0)
        if segment.text == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if segment.text == "hang":
            time.sleep(1000)
        if segment.text == "memory":
            hoard = []
            while True:
                hoard.append(bytearray(os.urandom(1 << 20) * 16))
        if segment.text == "exit":
            raise SystemExit(3)
        if segment.text == "bug":
            raise ValueError("a bug in a backend")
        if segment.text == "full":
            raise OSError(errno.ENOSPC, "no space left, says the test")
        if segment.text == "nan":
            return {"fault": float("nan")}
        if segment.text.startswith("slow"):
            time.sleep(1.0)
        return {"fault": 0.5}
'''

RUN = ("--language", "en", "--transcript", "sidecar", "--quality", "faults", "--diarize", "none", "--align", "none")
NO_FRILLS = ("--export", "none", "--filter", "none", "--no-audio", "--json")


def install(folder):
    """Install the metric `faults` in a folder; returns the environment in which it is found."""
    info = folder / "faultplugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "faultplugin.py").write_text(textwrap.dedent(PLUGIN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faultplugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[speechmill.quality]\nfaults = faultplugin\n")
    return {"PYTHONPATH": str(folder)}
