# SPDX-License-Identifier: Apache-2.0
"""Ten hours in constant memory."""

from __future__ import annotations

import json
import subprocess
import sys
import wave

import numpy as np
import pytest

HOURS = 10
SCRIPT = """
import json, resource, sys
from pathlib import Path
import numpy as np
from speechmill.formats.audio import make_canonical, open_canonical, read_canonical
folder = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
canonical, audio = make_canonical(folder / "long.wav", folder, "long", "mix", temporary_folder=folder)
made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with audio, open_canonical(folder, canonical, temporary_folder=folder) as again:
    at = 9 * 3600 + 1800.0
    same = all(np.array_equal(audio.read(t, 5.0), again.read(t, 5.0)) for t in (0.0, at - 2, 35_990.0))
    beep = audio.read(at - 1, 3.0)
    beep_24 = read_canonical(folder / canonical.paths[0], at - 1, 3.0)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "growth_mb": [(made - before) / 1024, (after - before) / 1024], "duration": canonical.duration, "same": same,
    "beep": float(np.argmax(abs(beep) > 0.1) / 16_000), "beep_24": float(np.argmax(abs(beep_24) > 0.1) / 24_000),
}))
"""


@pytest.mark.system
def test_ten_hours_take_less_than_300_mb(tmp_path):
    block = np.zeros(8_000 * 60, "<i2")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        for minute in range(HOURS * 60):
            beep = np.where(np.arange(block.size) < 8_000, 16_000, 0).astype("<i2") if minute == 570 else block
            file.writeframes(beep.tobytes())
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert max(result["growth_mb"]) < 300
    assert result["duration"] == 36_000.0
    assert result["same"]
    assert result["beep"] == pytest.approx(1.0, abs=1e-3)
    assert result["beep_24"] == pytest.approx(1.0, abs=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long-0.flac", "long.wav"]
