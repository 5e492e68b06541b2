# SPDX-License-Identifier: Apache-2.0
"""Run a flow of a corpus by kfp's own local runner, as subprocesses; print how it ended and which tasks were run.

What its cache had is not run. Of tasks side by side, kfp logs some and not others.

python run_locally.py CORPUS FLOW FOLDER [PARAMETER=VALUE ...]
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from kfp import local

from speechmill import api
from speechmill.orchestrators._kubeflow_pipelines import pipelines

_DONE = re.compile(r"Task .*?'([\w-]+)'.* finished with status .*?(SUCCESS|FAILURE)")


def main(corpus: str, flow: str, folder: str, *given: str) -> None:
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=folder,
        workspace_root=f"{folder}/kfp-workspace",
        enable_caching=True,
    )
    said, outputs, error = io.StringIO(), {}, None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        pipeline = pipelines(api.corpus_of(corpus))[flow]
        try:
            outputs = pipeline(corpus=corpus, **dict(one.split("=", 1) for one in given)).outputs
        except RuntimeError as failed:
            error = str(failed)
    log = said.getvalue()
    Path(folder, "log.txt").write_text(log, encoding="utf-8")
    answer = {"error": error, "outputs": outputs, "done": _DONE.findall(log)}
    print(json.dumps(answer | {"counts": _counts(Path(folder))}))


def _counts(folder: Path) -> dict[str, Any]:
    """The numbers that each task gave, by its folder and name."""
    written = sorted(folder.glob("**/counts"))
    return {str(path.parent.relative_to(folder)): json.loads(path.read_text(encoding="utf-8")) for path in written}


if __name__ == "__main__":
    main(*sys.argv[1:])
