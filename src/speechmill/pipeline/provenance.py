# SPDX-License-Identifier: Apache-2.0
"""With what a run was made: versions of Python, the package and the libraries that its backends use.

Provenance, not identity: another version of a library reruns nothing.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re

from speechmill.pipeline.plan import every_choice
from speechmill.pipeline.spec import Corpus


def versions(corpus: Corpus) -> dict[str, str]:
    """Return name -> version, sorted by name."""
    asked = {requirement for choice in every_choice(corpus) for requirement in getattr(choice.module, "REQUIRES", ())}
    base = importlib.metadata.requires("speechmill") or []
    asked |= {requirement for requirement in base if "extra ==" not in requirement}
    names = sorted({re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0] for requirement in asked})
    found = {name: importlib.metadata.version(name) for name in names}
    mine = {"speechmill": importlib.metadata.version("speechmill"), "python": platform.python_version()}
    return mine | {"machine": platform.machine()} | found
