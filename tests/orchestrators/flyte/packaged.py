# SPDX-License-Identifier: Apache-2.0
"""Print what `pyflyte package` made, as JSON: run by the Python that has flytekit, not by pytest.

python packaged.py flyte-package.tgz
"""

from __future__ import annotations

import json
import sys
import tarfile
from typing import Any

from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from google.protobuf.json_format import MessageToDict

KINDS = {
    "1": ("tasks", task_pb2.TaskSpec),
    "2": ("workflows", workflow_pb2.WorkflowSpec),
    "3": ("launch_plans", launch_plan_pb2.LaunchPlan),
}


def packaged(path: str) -> dict[str, dict[str, Any]]:
    """Return every entity by its kind and name."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind, _ in KINDS.values()}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            kind, message = KINDS[member.name.removesuffix(".pb").rpartition("_")[2]]
            file = tar.extractfile(member)
            assert file is not None
            entity = message.FromString(file.read())
            name = (entity.id if kind == "launch_plans" else entity.template.id).name
            found[kind][name] = MessageToDict(entity, preserving_proto_field_name=True)
    return found


if __name__ == "__main__":
    print(json.dumps(packaged(sys.argv[1])))
