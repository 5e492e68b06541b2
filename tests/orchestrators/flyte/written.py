# SPDX-License-Identifier: Apache-2.0
"""Print the commands of a corpus's tasks, as JSON, with a setting over what its file says.

python written.py corpus.yaml
"""

from __future__ import annotations

import json
import sys

from flytekit.core.context_manager import FlyteEntities

from speechmill.orchestrators.flyte import workflows_from

if __name__ == "__main__":
    workflows_from(sys.argv[1], {"vad.threshold": 0.6, "orchestrate.parallel": 2})
    works = [entity.work for entity in FlyteEntities.entities if hasattr(entity, "work")]
    print(json.dumps({work.step.name: work.step.command for work in works}))
