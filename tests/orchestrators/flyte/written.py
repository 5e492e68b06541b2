# SPDX-License-Identifier: Apache-2.0
"""Print what the workflows of a corpus are made of, as JSON, with settings over what its file says.

python written.py corpus.yaml
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from flytekit.core.context_manager import FlyteEntities
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.remote.backfill import create_backfill_workflow
from flytekit.types.directory import FlyteDirectory
from msgspec import structs

from speechmill.orchestrators._command import CommandFailed
from speechmill.orchestrators._flyte_tasks import StepTask
from speechmill.orchestrators.flyte import workflows_from

DAYS = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 3, 12, tzinfo=UTC)


def failure(task: StepTask, status: int) -> str:
    """Say how a task takes it that its command ends with a status."""
    end = f"kill {status} $$" if status < 0 else f"exit {status}"
    program = f"sh -c 'echo {{}}; {end}'"
    work = structs.replace(task.work, options=structs.replace(task.work.options, command=program))
    try:
        StepTask(work).execute(run=FlyteDirectory("/run"))
    except FlyteRecoverableException:
        return "recoverable"
    except CommandFailed as error:
        return type(error).__name__
    return "done"


if __name__ == "__main__":
    options = {"orchestrate.schedules": {"label": "@daily"}, "orchestrate.catchup": True}
    made = workflows_from(sys.argv[1], {"vad.threshold": 0.6, **options})
    tasks = [entity for entity in FlyteEntities.entities if hasattr(entity, "work")]
    (finish,) = [task for task in tasks if task.work.step.name == "finish"]
    (dates,) = [task for task in tasks if task.work.kind == "dates"]
    _workflow, first, last = create_backfill_workflow(*DAYS, for_lp=made["backfill"])
    print(
        json.dumps(
            {
                "failures": {status: failure(finish, status) for status in (0, 1, 2, -9)},
                "commands": {task.work.step.name: task.work.step.command for task in tasks},
                "backfill": [f"{moment:%Y-%m-%d}" for moment in (first, last)],
                "scheduled": [
                    made["label_scheduled"].workflow.name,
                    made["label_scheduled"].schedule.kickoff_time_input_arg,
                    made["label_scheduled"].concurrency,
                ],
                "dates": [dates.execute(kickoff=datetime(2026, 11, 2, hour, tzinfo=UTC)) for hour in (0, 3)],
            }
        )
    )
