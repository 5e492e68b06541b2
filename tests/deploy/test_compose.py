# SPDX-License-Identifier: Apache-2.0
"""The platform in containers, read as compose reads it: valid, hardened, closed to others, no secret in it."""

from __future__ import annotations

import base64
import functools
import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose
from tests.deploy.files import DEPLOY, PINNED, ROOT, STAGES, NotSaid, environment, interpolate, load

FOLDER = DEPLOY / "compose"
MAKE_SECRETS = FOLDER / "make-secrets"
HERE = {"SPEECHMILL_VERSION": "1.2.3", "SPEECHMILL_PROJECT": "/srv/project", "AIRFLOW_URL": "http://localhost:8080"}
ONCE = {"airflow-init", "objects-init"}


def text(name: str = "compose.yaml") -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@functools.cache
def platform(stage: str = "production") -> dict[str, Any]:
    """Return compose.yaml as it is for a stage."""
    found: dict[str, Any] = load(interpolate(text(), environment(FOLDER / f"dtap/{stage}.env") | HERE))
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = platform()["services"]
    return found


def check(document: dict[str, Any]) -> list[str]:
    """Read a document as the Compose Specification has it. Raises ValueError."""
    known = {key: value for key, value in document.items() if not key.startswith("x-")}
    compose = PyCompose.from_json(json.dumps(known))
    compose.validate()
    names: list[str] = compose.service_names()
    return names


@pytest.mark.parametrize("stage", STAGES)
def test_it_is_valid_for_each_stage(stage: str) -> None:
    assert check(platform(stage)) == list(services())


def test_with_gpus_it_is_valid_too() -> None:
    values = environment(FOLDER / "dtap/production.env") | HERE | {"TRITON_REPOSITORY": "/srv/triton"}
    override = load(interpolate(text("compose.gpu.yaml"), values))
    assert set(check(override)) <= set(services())


@pytest.mark.parametrize(
    ("old", "new"),
    [("restart: unless-stopped", "restrat: always"), ("condition: service_healthy", "condition: healthy")],
)
def test_the_check_finds_mistakes(old: str, new: str) -> None:
    assert old in text()
    document = load(interpolate(text().replace(old, new), environment(FOLDER / "dtap/dev.env") | HERE))
    with pytest.raises(ValueError, match=r"restrat|healthy"):
        check(document)


def test_everything_the_issue_names_is_there() -> None:
    parts = {"apiserver", "scheduler", "dag-processor", "triggerer", "worker", "init"}
    others = {"postgres", "redis", "objects", "objects-init", "triton", "prometheus", "statsd-exporter", "grafana"}
    assert set(services()) == {f"airflow-{part}" for part in parts} | others


@pytest.mark.parametrize("name", list(services()))
class TestEveryService:
    def test_it_may_do_little(self, name: str) -> None:
        service = services()[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        ours = service["image"].startswith("speechmill:")  # whose images end as 10001
        assert ours or service["user"].split(":")[0] not in ("0", "root")

    def test_it_has_limits_and_comes_back(self, name: str) -> None:
        service = services()[name]
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
        assert service["logging"]["options"]["max-size"]

    def test_its_image_is_pinned(self, name: str) -> None:
        image = services()[name]["image"]
        assert PINNED.fullmatch(image) or re.fullmatch(r"speechmill:(cpu|airflow|triton)-1\.2\.3", image)

    def test_it_says_how_its_health_is_asked(self, name: str) -> None:
        assert ("healthcheck" in services()[name]) == (name not in ONCE)

    def test_it_is_reached_from_this_machine_alone(self, name: str) -> None:
        service = services()[name]
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
            assert "edge" in service["networks"], "a port is not published from networks that lead nowhere"
        assert service.get("network_mode", "none") == "none"

    def test_it_waits_for_what_is_there(self, name: str) -> None:
        after = services()[name].get("depends_on", {})
        assert set(after) <= set(services())
        if isinstance(after, dict):
            for other, how in after.items():
                healthy = how["condition"] == "service_healthy"
                assert not healthy or "healthcheck" in services()[other]
                assert (how["condition"] == "service_completed_successfully") == (other in ONCE)

    def test_every_folder_it_writes_is_a_volume_or_in_memory(self, name: str) -> None:
        volumes = set(platform()["volumes"])
        for volume in services()[name].get("volumes", ()):
            if isinstance(volume, str):
                source, _, rest = volume.partition(":")
                assert source in volumes or rest.endswith(":ro"), volume


def test_only_what_people_use_and_crawls_is_on_the_network_that_leads_out() -> None:
    outside = {name for name, service in services().items() if "edge" in service.get("networks", ())}
    assert outside == {"airflow-apiserver", "airflow-worker", "grafana", "prometheus"}
    leads_nowhere = {name for name, network in platform()["networks"].items() if network.get("internal")}
    assert leads_nowhere == {"stores", "objects", "inference", "monitoring"}


def test_what_is_mounted_of_the_project_is_there() -> None:
    for service in services().values():
        for volume in service.get("volumes", ()):
            if isinstance(volume, str) and volume.startswith("."):
                assert (FOLDER / volume.split(":")[0]).exists(), volume


def test_it_does_not_start_without_what_a_machine_must_say() -> None:
    template = environment(FOLDER / "example.env")
    assert {name for name, value in template.items() if not value} == {"SPEECHMILL_VERSION", "SPEECHMILL_PROJECT"}
    with pytest.raises(NotSaid, match="SPEECHMILL_STAGE"):
        interpolate(text(), template)
    for name in HERE:
        with pytest.raises(NotSaid, match=name):
            interpolate(text(), {**environment(FOLDER / "dtap/dev.env"), **HERE, name: ""})


def test_stages_differ_in_numbers_alone_and_may_run_side_by_side() -> None:
    values = {stage: environment(FOLDER / f"dtap/{stage}.env") for stage in STAGES}
    assert len({tuple(sorted(one)) for one in values.values()}) == 1
    assert all(one["SPEECHMILL_STAGE"] == stage for stage, one in values.items())
    ports = [one[name] for one in values.values() for name in one if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) == 3 * len(STAGES)
    used = set(re.findall(r"\$\{(\w+)", text()))
    assert set(values["dev"]) <= used


def test_no_secret_is_a_variable() -> None:
    """What stands in a variable is seen by `docker inspect`: secrets are files, which these name."""
    harmless = re.compile(r".*(_FILE|_CMD)$|AIRFLOW__API__BASE_URL")
    suspicious = re.compile(r"PASSWORD|SECRET|_KEY|TOKEN|CONN|BROKER|RESULT_BACKEND")
    seen = 0
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            if suspicious.search(name):
                seen += 1
                assert harmless.fullmatch(name), name
                file = value.removeprefix("cat ")
                assert file.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {file}"
    assert seen > 20


def made(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, MAKE_SECRETS, folder], capture_output=True, text=True, check=False)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    assert made(folder).returncode == 0
    return folder


def test_every_secret_is_made_and_no_other(secrets: Path) -> None:
    named = {Path(one["file"]).name for one in platform()["secrets"].values()}
    assert {path.name for path in secrets.iterdir()} == named
    assert all(path.read_text(encoding="utf-8").strip() for path in secrets.iterdir())
    used = {name for service in services().values() for name in service.get("secrets", ())}
    assert used == set(platform()["secrets"])


def test_secrets_are_open_to_their_owner_alone(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


def test_secrets_that_belong_together_agree(secrets: Path) -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in secrets.iterdir()}
    password = texts["postgres_airflow_password"]
    assert texts["sql_alchemy_conn"] == f"postgresql+psycopg2://airflow:{password}@postgres/airflow"
    assert texts["result_backend"] == f"db+{texts['sql_alchemy_conn']}"
    redis = texts["redis.conf"].splitlines()[0].removeprefix("requirepass ")
    assert texts["broker_url"] == f"redis://:{redis}@redis:6379/0"
    keys = json.loads(texts["objects.json"])["identities"][0]["credentials"][0]
    assert keys == {"accessKey": texts["objects_access_key"], "secretKey": texts["objects_secret_key"]}
    assert len(base64.urlsafe_b64decode(texts["fernet_key"])) == 32
    assert set(json.loads(texts["airflow_users.json"])) == {"admin", "op", "viewer"}


def test_no_two_secrets_are_the_same_and_none_is_made_twice(secrets: Path, tmp_path: Path) -> None:
    made(tmp_path / "others")
    first, second = (
        {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        for folder in (secrets, tmp_path / "others")
    )
    assert len(set(first.values())) == len(first)
    assert not set(first.values()) & set(second.values())


def test_secrets_that_are_there_stay(secrets: Path) -> None:
    before = {path.name: path.read_text(encoding="utf-8") for path in secrets.iterdir()}
    assert made(secrets).returncode == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in secrets.iterdir()} == before


def test_half_a_set_of_secrets_is_not_made_whole(secrets: Path) -> None:
    (secrets / "fernet_key").unlink()
    done = made(secrets)
    assert done.returncode == 1
    assert "not fernet_key" in done.stderr
    assert not (secrets / "fernet_key").exists()


def test_git_takes_no_secret() -> None:
    files = ["deploy/compose/.env", "deploy/compose/secrets/fernet_key"]
    done = subprocess.run(["git", "check-ignore", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == files
