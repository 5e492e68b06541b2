# SPDX-License-Identifier: Apache-2.0
"""How loops are compiled: by numba, once per machine.

The result is kept beside the file with the loop, in numba's cache folder where that can't be written
(NUMBA_CACHE_DIR names another), or nowhere where neither can.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from speechmill.core.errors import MissingDependency

try:
    from numba import njit
except ImportError as error:
    raise MissingDependency("acoustic models need numba: pip install 'speechmill[align]'") from error


def compiled(signature: str, function: Any, *, fast: bool = False) -> Any:
    """Return a loop compiled for arguments of these types: a process that finds it kept compiles nothing.

    fast: sums may be taken in another order. The loop releases the GIL.
    """
    options = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"} if fast else False}
    try:
        found = njit(signature, cache=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        found = njit(signature, **options)(function)
    stats = getattr(found, "stats", None)  # none where NUMBA_DISABLE_JIT is set
    if stats and not stats.cache_hits:
        _tell()
    return found


@functools.cache
def _tell() -> None:
    """Say once in a process why it takes so long."""
    print("speechmill: compiling the loops of acoustic models, about 10 s, once on this machine", file=sys.stderr)
