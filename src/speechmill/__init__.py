# SPDX-License-Identifier: Apache-2.0
"""Raw long-form speech in, a documented, word-aligned dataset for ASR and TTS out.

import speechmill
speechmill.run("corpus.yaml")
for segment in speechmill.open("workspace").segments():
    print(segment.id, segment.text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["filter", "open", "run"]

if TYPE_CHECKING:
    from speechmill.api import filter, open, run


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used: `import speechmill` stays instant."""
    if name in __all__:
        from speechmill import api

        return getattr(api, name)
    raise AttributeError(f"module 'speechmill' has no attribute {name!r}")
