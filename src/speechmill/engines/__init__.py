# SPDX-License-Identifier: Apache-2.0
"""Where tasks run: map(plan, tasks) -> answers, unordered, bounded in flight. One engine is one file.

A module has

    REQUIRES  what pip must have beside the base install
    Backend   class: Backend(workers, memory_mb, address), then what `pipeline.worker.Engine` says

workers: recordings at once; None: as many as there are cores here, or where the address leads. memory_mb: the most
that one worker process may take; None: its share of what its machine has free. address: of a cluster that runs already;
None: one that the engine starts on this machine, and ends. Raises ConfigError where it can't be reached.

Every engine has recordings done by seats (`_seat`): one supervised process each, so that what crashes, hangs or hoards
costs its own recording everywhere, for the same reasons. An engine only has to look after machines that go away.
"""

from __future__ import annotations

from speechmill.core import registry
from speechmill.core.errors import MissingDependency
from speechmill.pipeline.worker import Engine


def make(name: str, workers: int | None = None, memory_mb: int | None = None, address: str | None = None) -> Engine:
    """Return an engine by its name. Raises UnknownBackend, MissingDependency, Unsupported or ConfigError."""
    module = registry.load("engines", name)
    if missing := registry.missing_packages(module):
        ours = module.__name__.startswith("speechmill.")
        packages = f"'speechmill[{name}]'" if ours else " ".join(f"'{package}'" for package in missing)
        raise MissingDependency(f"the engine {name!r} needs {', '.join(missing)}: pip install {packages}")
    engine: Engine = module.Backend(workers, memory_mb, address)
    return engine
