# SPDX-License-Identifier: Apache-2.0
"""Do what Flyte does with a packaged task: write its inputs, run its container's command, read its outputs.

python contained.py flyte-package.tgz TASK FOLDER '{"run": {"folder": "/data/runs/1"}, "shards": ["0"]}' [INDEX]

The file system takes the place of Flyte's bucket. INDEX: of a mapped task, the item.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
from flyteidl.core import literals_pb2
from flyteidl.core.types_pb2 import BlobType
from google.protobuf.json_format import MessageToDict
from packaged import packaged


def literal(value: Any) -> literals_pb2.Literal:
    """Return a value as Flyte writes it."""
    if isinstance(value, list):
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=map(literal, value)))
    if isinstance(value, dict):
        kind = literals_pb2.BlobMetadata(type=BlobType(dimensionality=BlobType.MULTIPART))
        return literals_pb2.Literal(
            scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=value["folder"], metadata=kind))
        )
    primitive = (
        literals_pb2.Primitive(integer=value) if isinstance(value, int) else literals_pb2.Primitive(string_value=value)
    )
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive))


def outputs(folder: Path) -> dict[str, Any]:
    """Return what a task gave; a failure by its name and kind."""
    if (folder / "error.pb").exists():
        from flyteidl.core import errors_pb2

        error = errors_pb2.ErrorDocument.FromString((folder / "error.pb").read_bytes()).error
        return {"error": error.message, "recoverable": error.kind == errors_pb2.ContainerError.RECOVERABLE}
    found = literals_pb2.LiteralMap.FromString((folder / "outputs.pb").read_bytes())
    values: dict[str, Any] = {}
    for name, one in found.literals.items():
        scalar = one.scalar
        values[name] = msgpack.loads(scalar.binary.value) if scalar.HasField("binary") else MessageToDict(one)
    return values


def execute(package: str, task: str, folder: Path, given: dict[str, Any], index: str | None) -> dict[str, Any]:
    """Run a packaged task as its container would be run."""
    template = packaged(package)["tasks"][task]["template"]
    container = template["k8s_pod"]["pod_spec"]["containers"][0]
    inputs = literals_pb2.LiteralMap(literals={name: literal(value) for name, value in given.items()})
    folder.mkdir(parents=True)
    (folder / "inputs.pb").write_bytes(inputs.SerializeToString())
    places = {
        "{{.input}}": folder / "inputs.pb",
        "{{.outputPrefix}}": folder / "out",
        "{{.rawOutputDataPrefix}}": folder / "raw",
        "{{.checkpointOutputPrefix}}": folder / "checkpoint",
        "{{.prevCheckpointPrefix}}": '""',
    }
    command = [str(places.get(word, word)) for word in container["args"]]
    item = {} if index is None else {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "ITEM", "ITEM": index}
    environment = {**os.environ, "FLYTE_INTERNAL_EXECUTION_ID": "x", **item}
    subprocess.run(command, env=environment, stdout=sys.stderr, check=True)
    return outputs(folder / "out") | {"files": sorted(path.name for path in (folder / "out").iterdir())}


if __name__ == "__main__":
    found = execute(sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]), (sys.argv[5:] or [None])[0])
    print(json.dumps(found))
