# SPDX-License-Identifier: Apache-2.0
"""A real Airflow takes what containers tell it: settings, secrets in files, the pod of its tasks, the DAG file."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.files import DEPLOY, ROOT, environment, interpolate, load

pytestmark = pytest.mark.slow  # Airflow is loaded each time
PYTHON = ROOT / ".venv-airflow/bin/python"
BASE = DEPLOY / "kubernetes/base"
HERE = {"SPEECHMILL_VERSION": "1", "SPEECHMILL_PROJECT": "/srv/project", "AIRFLOW_URL": "http://localhost:8080"}

ASK = """
import json, sys
from airflow.configuration import conf
sections = [one.split(".") for one in sys.argv[1:]]
print(json.dumps({f"{section}.{key}": conf.get(section, key) for section, key in sections}))
"""
READ_POD = """
import sys
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
pod = PodGenerator.deserialize_model_file(sys.argv[1])
print(*(container.name for container in pod.spec.containers), pod.spec.security_context.run_as_user)
"""
READ_DAGS = """
import json, runpy, sys
found = runpy.run_path(sys.argv[1])
dags = [one for one in found.values() if type(one).__name__ == "DAG"]
told = [getattr(task, "executor_config", None) for dag in dags for task in dag.tasks]
images = {one["pod_override"].spec.containers[0].image for one in told if one}
print(json.dumps([sorted({dag.dag_id for dag in dags}), sorted(images)]))
"""


def airflow(script: str, folder: Path, variables: Mapping[str, str], *arguments: str) -> str:
    """Run a script in Airflow's environment. Returns the last line that it printed."""
    if not PYTHON.exists():
        pytest.skip("Airflow is not here: make setup-airflow")
    known = {"PATH": os.environ["PATH"], "HOME": str(folder), "AIRFLOW_HOME": str(folder)}
    database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"}
    words = [PYTHON, "-c", script, *arguments]
    env = {**known, **({} if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD" in variables else database), **variables}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def parts(name: str) -> str:
    """AIRFLOW__API__SECRET_KEY_CMD -> api.secret_key."""
    section, key = name.removeprefix("AIRFLOW__").removesuffix("_CMD").lower().split("__")
    return f"{section}.{key}"


@functools.cache
def compose() -> dict[str, Any]:
    values = environment(DEPLOY / "compose/dtap/production.env") | HERE
    found: dict[str, Any] = load(interpolate((DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8"), values))
    return found


def test_it_reads_settings_and_secrets_as_compose_gives_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DEPLOY / "compose/make-secrets", tmp_path / "secrets"], check=True)
    files = {name: tmp_path / "secrets" / Path(one["file"]).name for name, one in compose()["secrets"].items()}
    given = compose()["services"]["airflow-worker"]["environment"]
    said = {name: value for name, value in given.items() if name.startswith("AIRFLOW__")}
    expected = {}
    for name, value in said.items():
        if name.endswith("_CMD"):
            file = files[value.removeprefix("cat /run/secrets/")]
            said[name] = f"cat {file}"
            expected[parts(name)] = file.read_text(encoding="utf-8")
        else:
            expected[parts(name)] = value
    expected |= {"metrics.statsd_influxdb_enabled": "True", "core.load_examples": "False"}  # of the file
    variables = {**said, "AIRFLOW_CONFIG": str(DEPLOY / "airflow/airflow.cfg")}
    assert len([name for name in said if name.endswith("_CMD")]) == 6
    assert json.loads(airflow(ASK, tmp_path, variables, *expected)) == expected


def test_it_reads_settings_as_kubernetes_gives_them(tmp_path: Path) -> None:
    generators = load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))["configMapGenerator"]
    literals = next(one["literals"] for one in generators if one["name"] == "airflow")
    said = dict(literal.split("=", 1) for literal in literals)
    for name in [name for name in said if name.endswith("_CMD")]:
        (tmp_path / name).write_text(f"secret of {name}", encoding="utf-8")
        said[name] = f"cat {tmp_path / name}"
    expected = {parts(name): f"secret of {name}" if name.endswith("_CMD") else value for name, value in said.items()}
    variables = {**said, "AIRFLOW_CONFIG": str(DEPLOY / "airflow/airflow.cfg")}
    # the database is named by the first that is asked for: SQLAlchemy must know its kind
    (tmp_path / "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD").write_text(f"sqlite:///{tmp_path}/a.db", encoding="utf-8")
    expected["database.sql_alchemy_conn"] = f"sqlite:///{tmp_path}/a.db"
    assert json.loads(airflow(ASK, tmp_path, variables, *expected)) == expected


def test_it_reads_the_pod_of_its_tasks(tmp_path: Path) -> None:
    assert airflow(READ_POD, tmp_path, {}, str(BASE / "pods/task.yaml")) == "base 10001"


def test_its_tasks_run_in_the_image_of_their_stage(tmp_path: Path) -> None:
    text = (BASE / "dags/talks_dags.py").read_text(encoding="utf-8")
    file = tmp_path / "talks_dags.py"
    file.write_text(text.replace("/project/corpora", str(BASE / "corpora")), encoding="utf-8")
    image = "registry.example.org/speechmill/airflow:1.2.3"
    variables = {"SPEECHMILL_IMAGE": image, "AIRFLOW__CORE__EXECUTOR": "KubernetesExecutor"}
    found = json.loads(airflow(READ_DAGS, tmp_path, variables, str(file)))
    assert found == [["talks_align", "talks_label"], [image]]
