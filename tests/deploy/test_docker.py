# SPDX-License-Identifier: Apache-2.0
"""Images: built of pinned parts, without root, and their own scripts do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.deploy.files import DEPLOY, DOCKERFILES, PINNED, ROOT, program, scripts

WITH_SECRETS = DEPLOY / "docker/with-secrets"
HEALTH = DEPLOY / "docker/airflow-health"


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, continued lines joined."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def said(path: Path, instruction: str) -> list[str]:
    return [rest for name, rest in instructions(path) if name == instruction]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
class TestEveryDockerfile:
    def test_hadolint_finds_nothing(self, path: Path) -> None:
        done = program("hadolint", "--no-color", "--failure-threshold=style", path)
        assert (done.returncode, done.stdout) == (0, "")

    def test_its_bases_are_pinned(self, path: Path) -> None:
        default = dict(arg.split("=", 1) for arg in said(path, "ARG") if "=" in arg)
        for base in said(path, "FROM"):
            image = base.split()[0]
            if image == "${BASE}":  # our own, made by another of these files
                assert default["BASE"] == "speechmill:cpu"
            else:
                assert PINNED.fullmatch(image), image

    def test_it_ends_as_a_user_who_is_not_root(self, path: Path) -> None:
        assert said(path, "USER")[-1] == "10001:10001"

    def test_its_process_gets_signals_and_says_how_its_health_is_asked(self, path: Path) -> None:
        base = path.with_name("cpu.Dockerfile") if path.stem in ("airflow", "pipelines") else path
        assert json.loads(said(base, "ENTRYPOINT")[-1])[:2] == ["/usr/bin/tini", "--"]
        assert json.loads(said(path, "CMD")[-1])
        assert len(said(path, "HEALTHCHECK")) == 1

    def test_it_keeps_no_cache_and_installs_pinned_versions(self, path: Path) -> None:
        runs = said(path, "RUN")
        for run in runs:
            for install in re.findall(r"pip install [^&;]*", run):
                assert "--no-cache-dir" in install
                assert re.search(r" -[cr] /?\w+\.txt", install), install
            if "apt-get install" in run:
                assert "rm -rf /var/lib/apt/lists/*" in run
                assert "--no-install-recommends" in run

    def test_what_it_copies_is_there_and_not_ignored(self, path: Path) -> None:
        sent = [
            line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
        ]
        for copy in said(path, "COPY"):
            words = [word for word in copy.split() if not word.startswith("--chmod")]
            if words[0].startswith("--from"):
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == one or source.startswith(f"{one}/") for one in sent), source


def extras(path: Path) -> set[str]:
    return set(next(arg for arg in said(path, "ARG") if arg.startswith("EXTRAS=")).removeprefix("EXTRAS=").split(","))


def test_images_have_every_backend_but_those_that_need_gpl_torch_or_a_compiler() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    elsewhere = {"airflow", "flyte", "kubeflow", "demo", "test", "bench", "check"}
    left_out = set(project) - elsewhere - extras(DEPLOY / "docker/cpu.Dockerfile")
    assert left_out == {"espeak", "pesq", "transformers"}
    assert extras(DEPLOY / "docker/gpu.Dockerfile") - extras(DEPLOY / "docker/cpu.Dockerfile") == {"transformers"}


def test_the_gpu_image_has_the_onnxruntime_that_was_tested() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    text = (DEPLOY / "docker/gpu.Dockerfile").read_text(encoding="utf-8")
    assert f'"onnxruntime-gpu[cuda,cudnn]=={pinned["onnxruntime"]}"' in text


def test_shellcheck_finds_nothing() -> None:
    found = scripts()
    assert WITH_SECRETS in found
    done = program("shellcheck", *found)
    assert (done.returncode, done.stdout) == (0, "")


def run_with(files: dict[str, Path], *command: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **{f"{name}_FILE": str(file) for name, file in files.items()}}
    return subprocess.run([WITH_SECRETS, *command], env=env, capture_output=True, text=True, check=False)


def test_a_secret_in_a_file_becomes_a_variable_of_the_command_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a b'$(id)\"*\\n\n", encoding="utf-8")
    done = run_with({"AWS_SECRET_ACCESS_KEY": file}, sys.executable, "-c", "import os; print(dict(os.environ))")
    environment = eval(done.stdout)
    assert environment["AWS_SECRET_ACCESS_KEY"] == "a b'$(id)\"*\\n"
    assert "AWS_SECRET_ACCESS_KEY_FILE" not in environment


@pytest.mark.parametrize("text", [None, ""])
def test_a_secret_that_is_not_there_stops_the_container(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = run_with({"PGPASSWORD": file}, "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PGPASSWORD_FILE" in done.stderr


def test_the_command_has_its_own_status_and_arguments() -> None:
    done = run_with({}, "sh", "-c", 'echo "$1"; exit 7', "sh", "two words")
    assert (done.returncode, done.stdout) == (7, "two words\n")


@pytest.fixture
def api_server() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/v2/monitor/health"
            body = {"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}, "dag_processor": None}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def health(part: str, url: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, HEALTH, part, url], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def test_a_part_of_airflow_is_healthy_where_the_api_server_says_so(api_server: str) -> None:
    assert health("scheduler", api_server) == (0, "")
    assert health("triggerer", api_server) == (1, "triggerer is unhealthy")
    assert health("dag_processor", api_server) == (1, "dag_processor is not known")


def test_nothing_is_healthy_where_nobody_answers() -> None:
    status, error = health("scheduler", "http://127.0.0.1:9")
    assert status == 1
    assert "refused" in error
