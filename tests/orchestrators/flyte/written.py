# SPDX-License-Identifier: Apache-2.0
"""Print what the workflows of a corpus are made of, as JSON, with settings over what its file says.

python written.py corpus.yaml
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from flytekit.core.context_manager import FlyteEntities
from flytekit.remote.backfill import create_backfill_workflow

from speechmill.orchestrators.flyte import workflows_from

DAYS = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 3, 12, tzinfo=UTC)

if __name__ == "__main__":
    options = {"orchestrate.schedules": {"label": "@daily"}, "orchestrate.catchup": True}
    made = workflows_from(sys.argv[1], {"vad.threshold": 0.6, **options})
    tasks = [entity for entity in FlyteEntities.entities if hasattr(entity, "work")]
    (dates,) = [task for task in tasks if task.work.kind == "dates"]
    _workflow, first, last = create_backfill_workflow(*DAYS, for_lp=made["backfill"])
    print(
        json.dumps(
            {
                "commands": {task.work.step.name: task.work.step.command for task in tasks},
                "backfill": [f"{moment:%Y-%m-%d}" for moment in (first, last)],
                "scheduled": [
                    made["label_scheduled"].workflow.name,
                    made["label_scheduled"].schedule.kickoff_time_input_arg,
                ],
                "dates": [dates.execute(kickoff=datetime(2026, 11, 2, hour, tzinfo=UTC)) for hour in (0, 3)],
            }
        )
    )
