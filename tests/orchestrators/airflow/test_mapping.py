# SPDX-License-Identifier: Apache-2.0
"""Five thousand shards in a real Airflow: its database, its expansion of mapped tasks, its order of tasks."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys

import pytest
from tests.orchestrators.airflow.conftest import BARE, ROOT

from speechmill.cli.main import cli

# What `plan` prints of five thousand shards; the tasks that would work on them are marked as done.
PROGRAM = f"""#!{sys.executable}
import json, sys
from speechmill.pipeline.planned import ranges
tasks = int(sys.argv[sys.argv.index("--tasks") + 1])
print(json.dumps({{"run": "/w/runs/1", "shards": 5000, "ranges": ranges(5000, tasks), "facts": {{}}}}))
"""


@pytest.mark.system
def test_five_thousand_shards_are_a_thousand_tasks_of_each_step(tmp_path):
    airflow = ROOT / ".venv-airflow" / "bin" / "airflow"
    if not airflow.exists():
        pytest.skip("Airflow is not here: make setup-airflow")
    (tmp_path / "corpus.yaml").write_text(BARE)
    (tmp_path / "program").write_text(PROGRAM)
    (tmp_path / "program").chmod(0o755)
    cli.main(["render", "airflow", str(tmp_path / "corpus.yaml"), "--out", str(tmp_path)], standalone_mode=False)
    environment = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_VAR_SPEECHMILL_COMMAND": str(tmp_path / "program"),
    }
    for words in (["db", "migrate"], ["dags", "test", "bare_label", "--mark-success-pattern", "^(?!plan$).*"]):
        done = subprocess.run(
            [airflow, *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    query = "select task_id, count(*) from task_instance where state = 'success' group by 1"
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "airflow.db")) as database:
        found = dict(database.execute(query).fetchall())
    steps = dict.fromkeys(("prepare", "transcribe", "diarize", "segment"), 1000)
    assert found == {"plan": 1, "give_segments": 1, **steps}
