# SPDX-License-Identifier: Apache-2.0
"""Raw long-form speech in, a documented, word-aligned dataset for ASR and TTS out.

    import speechmill
    speechmill.run("corpus.yaml")
    for segment in speechmill.open("workspace").segments():
        print(segment.id, segment.text)
"""

from __future__ import annotations

__version__ = "0.1.0"
