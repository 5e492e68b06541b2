# SPDX-License-Identifier: Apache-2.0
"""What is applied to a cluster: strictly of Kubernetes' own schemas, restricted, and closed but for what is said."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.deploy.files import DEPLOY, PINNED, STAGES

from speechmill.orchestrators.airflow import pools
from speechmill.pipeline import spec

FOLDER = DEPLOY / "kubernetes"
BASE = FOLDER / "base"
VERSIONS = ("1.31", "1.37")  # the oldest where a Job's podFailurePolicy is stable, and a new one
# Made by hand, with kubectl create secret: what is named must be these.
SECRETS = {"airflow": {"api_key", "fernet_key", "jwt_key", "sql_alchemy_conn", "users"}, "store": set[str]()}
ASKED = Path("/etc/airflow-secrets")

Thing = dict[str, Any]


def documents(path: Path) -> list[Thing]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


FILES = sorted(path for path in BASE.glob("*.yaml") if path.stem != "kustomization")
POD = BASE / "pods/task.yaml"


@functools.cache
def built(stage: str) -> tuple[Thing, ...]:
    """Return what kustomize makes of a stage's overlay."""
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "kustomize"]
    elif kustomize := shutil.which("kustomize"):
        command = [kustomize, "build"]
    else:
        pytest.skip("neither kubectl nor kustomize is here: what overlays make of the base is not checked")
    done = subprocess.run([*command, FOLDER / "overlays" / stage], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()
    return tuple(yaml.safe_load_all(done.stdout))


def containers(pod: Thing) -> list[Thing]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def of_kind(things: tuple[Thing, ...] | list[Thing], kind: str) -> dict[str, Thing]:
    return {one["metadata"]["name"]: one for one in things if one["kind"] == kind}


def pods(things: tuple[Thing, ...] | list[Thing]) -> Iterator[tuple[str, Thing]]:
    """Return the name and the pod of each thing that makes pods, and of the pod that Airflow makes of tasks."""
    for one in [*things, *documents(POD)]:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one
        elif one["kind"] in ("Deployment", "Job"):
            yield name, one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield name, one["spec"]["jobTemplate"]["spec"]["template"]


ALL_OF_BASE = [one for path in FILES for one in documents(path)]
BASE_PODS = list(pods(ALL_OF_BASE))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", [*FILES, POD], ids=lambda path: path.stem)
def test_every_file_is_of_the_strict_schema(path: Path, version: str) -> None:
    for one in documents(path):
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("stage", STAGES)
def test_every_overlay_is_of_the_strict_schema(stage: str) -> None:
    assert len(built(stage)) > len(ALL_OF_BASE)  # the base's, and ConfigMaps that are made
    for one in built(stage):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


def test_the_schema_finds_mistakes() -> None:
    one = next(one for one in ALL_OF_BASE if one["kind"] == "Deployment")
    broken = json.loads(json.dumps(one).replace('"readOnlyRootFilesystem"', '"readonlyRootFilesystem"'))
    with pytest.raises(kubernetes_validate.ValidationError, match="readonlyRootFilesystem"):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_every_file_of_the_base_is_in_it() -> None:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert {path.name for path in FILES} == {name for name in listed if name.endswith(".yaml")}


@pytest.mark.parametrize(("name", "pod"), BASE_PODS, ids=[name for name, _ in BASE_PODS])
class TestEveryPod:
    """As Pod Security's `restricted` wants it, and more."""

    def test_it_is_restricted(self, name: str, pod: Thing) -> None:
        whole = pod["spec"]["securityContext"]
        assert whole["runAsNonRoot"] is True
        assert whole["runAsUser"] > 0
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])
        kinds = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
        assert {key for volume in pod["spec"]["volumes"] for key in volume if key != "name"} <= kinds
        for container in containers(pod):
            mine = container["securityContext"]
            assert mine["allowPrivilegeEscalation"] is False
            assert mine["readOnlyRootFilesystem"] is True
            assert mine["capabilities"] == {"drop": ["ALL"]}

    def test_only_the_scheduler_has_a_token_of_the_cluster(self, name: str, pod: Thing) -> None:
        is_scheduler = name == "Deployment/airflow-scheduler"
        assert pod["spec"]["automountServiceAccountToken"] is is_scheduler
        assert pod["spec"]["serviceAccountName"] == ("airflow-scheduler" if is_scheduler else "speechmill")

    def test_it_says_what_it_needs(self, name: str, pod: Thing) -> None:
        for container in containers(pod):
            resources = container["resources"]
            assert set(resources["requests"]) >= {"cpu", "memory"}
            assert "memory" in resources["limits"]
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume)

    def test_a_server_says_how_its_health_is_asked(self, name: str, pod: Thing) -> None:
        if name.startswith("Deployment/"):
            for container in pod["spec"]["containers"]:
                assert "livenessProbe" in container
                named = {port["name"] for port in container.get("ports", ())}
                assert ("readinessProbe" in container) == bool(named - {"health"}), "asked of by a Service"
        else:
            assert pod["spec"]["restartPolicy"] == "Never"

    def test_secrets_are_named_and_never_written(self, name: str, pod: Thing) -> None:
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in SECRETS
        for container in containers(pod):
            named = [one["secretRef"]["name"] for one in container.get("envFrom", ()) if "secretRef" in one]
            assert set(named) <= set(SECRETS)
            for variable in container.get("env", ()):
                assert not re.search("PASSWORD|SECRET|_KEY|TOKEN|CONN", variable["name"]) or "valueFrom" in variable

    def test_what_it_mounts_is_a_volume_of_it(self, name: str, pod: Thing) -> None:
        volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
        for container in containers(pod):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= set(volumes)
            assert len({mount["mountPath"] for mount in container["volumeMounts"]}) == len(mounted)
        used = {mount["name"] for container in containers(pod) for mount in container["volumeMounts"]}
        assert used == set(volumes), "a volume that nothing mounts"


def test_a_task_of_airflow_knows_no_secret_of_airflow() -> None:
    assert '"airflow"' not in json.dumps(documents(POD)).replace('"app.kubernetes.io/name": "airflow"', "")


@pytest.mark.parametrize("stage", STAGES)
def test_no_secret_and_no_way_in_from_outside_is_made(stage: str) -> None:
    things = built(stage)
    assert not of_kind(things, "Secret")
    assert not of_kind(things, "Ingress")
    assert all(one["spec"].get("type", "ClusterIP") == "ClusterIP" for one in of_kind(things, "Service").values())
    written = json.dumps([one for one in things if one["kind"] == "ConfigMap"])
    assert not re.search(r"PASSWORD=|://[^/\"]+:[^/\"]+@", written)


@pytest.mark.parametrize("stage", STAGES)
def test_every_secret_that_airflow_reads_is_one_that_is_documented(stage: str) -> None:
    (airflow,) = (
        one for name, one in of_kind(built(stage), "ConfigMap").items() if re.fullmatch(r"airflow-\w{10}", name)
    )
    read = {Path(word).name for value in airflow["data"].values() for word in value.split() if str(ASKED) in word}
    job = of_kind(built(stage), "Job")["airflow-init"]["spec"]["template"]["spec"]["containers"][0]
    read |= {Path(word).name for word in job["args"] if str(ASKED) in word}
    assert read == SECRETS["airflow"]
    assert all(command.startswith("cat ") for name, command in airflow["data"].items() if name.endswith("_CMD"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_own_namespace_label_and_pinned_images(stage: str) -> None:
    things = built(stage)
    (name,) = of_kind(things, "Namespace")
    assert name == f"speechmill-{stage}"
    assert all(one["metadata"].get("namespace", name) == name for one in things)
    assert all(one["metadata"]["labels"]["speechmill/stage"] == stage for one in things)
    images = {container["image"] for where, pod in pods(things) if where != "Pod/task" for container in containers(pod)}
    assert {image for image in images if not PINNED.fullmatch(image)} == set()
    airflow = next(image for image in images if "/airflow:" in image)
    told = [
        one["data"]["SPEECHMILL_IMAGE"]
        for one in of_kind(things, "ConfigMap").values()
        if "SPEECHMILL_IMAGE" in one["data"]
    ]
    assert told == [airflow, airflow]


def test_stages_differ_in_what_is_theirs_alone() -> None:
    kinds = {
        stage: sorted((one["kind"], re.sub(r"-\w{10}$", "", one["metadata"]["name"])) for one in built(stage))
        for stage in STAGES
    }
    same = [[pair for pair in found if pair[0] != "Namespace"] for found in kinds.values()]
    assert same[0] == same[1] == same[2] == same[3]
    quotas = [int(of_kind(built(stage), "ResourceQuota")["speechmill"]["spec"]["hard"]["pods"]) for stage in STAGES]
    assert quotas == sorted(quotas)
    acceptance, production = (json.dumps(built(stage)) for stage in ("acceptance", "production"))
    assert '"suspend": true' in acceptance
    assert '"suspend": true' in production


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_named_is_there(stage: str) -> None:
    things = built(stage)
    maps, claims, accounts = (
        of_kind(things, kind) for kind in ("ConfigMap", "PersistentVolumeClaim", "ServiceAccount")
    )
    for where, pod in pods(things):
        assert pod["spec"]["serviceAccountName"] in accounts, where
        for volume in pod["spec"]["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, where
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, where
        for container in containers(pod):
            named = {one["configMapRef"]["name"] for one in container.get("envFrom", ()) if "configMapRef" in one}
            assert named <= set(maps), where


@pytest.mark.parametrize("stage", STAGES)
def test_services_and_policies_are_of_pods_that_are_there(stage: str) -> None:
    things = built(stage)
    labels = [pod["metadata"]["labels"] for _, pod in pods(things)]

    def chosen(selector: dict[str, str]) -> bool:
        return any(selector.items() <= one.items() for one in labels)

    for name, service in of_kind(things, "Service").items():
        assert chosen(service["spec"]["selector"]), name
    policies = of_kind(things, "NetworkPolicy")
    for name, policy in policies.items():
        assert chosen(policy["spec"]["podSelector"].get("matchLabels", {})), name
        for rule in [*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())]:
            for peer in [*rule.get("from", ()), *rule.get("to", ())]:
                if "podSelector" in peer:
                    assert chosen(peer["podSelector"].get("matchLabels", {})), name
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_tasks_reach_the_world_and_no_private_address_of_it() -> None:
    for one in ALL_OF_BASE:
        if one["kind"] == "NetworkPolicy" and "0.0.0.0/0" in json.dumps(one):
            assert one["metadata"]["name"] == "task"
            (block,) = (peer["ipBlock"] for rule in one["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer)
            assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"])


def test_the_executor_may_do_with_pods_what_it_calls_and_nothing_else() -> None:
    role = of_kind(ALL_OF_BASE, "Role")["airflow-executor"]
    may = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    verbs = {"create", "delete", "get", "list", "patch", "watch"}
    assert may == {("pods", verb) for verb in verbs} | {("pods/log", "get")}
    assert not {one["kind"] for one in ALL_OF_BASE} & {"ClusterRole", "ClusterRoleBinding"}


def test_pods_that_are_not_restricted_are_refused() -> None:
    (namespace,) = of_kind(ALL_OF_BASE, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_corpus_to_begin_with_is_one_and_its_pools_are_there() -> None:
    corpus = spec.load(BASE / "corpora/corpus.yaml", {"orchestrate.image": "registry.example.org/speechmill/airflow:1"})
    assert str(corpus.store).startswith(f"{corpus.orchestrate.volume.path}/")
    assert corpus.orchestrate.volume.claim in of_kind(ALL_OF_BASE, "PersistentVolumeClaim")
    written = json.loads((BASE / "dags/talks_pools.json").read_text(encoding="utf-8"))
    assert written == pools(corpus)


def test_the_example_of_external_secrets_names_those_that_are_read() -> None:
    path = FOLDER / "overlays/production/external-secrets.example.yaml"
    assert {one["spec"]["target"]["name"] for one in documents(path)} == set(SECRETS)
    text = path.read_text(encoding="utf-8")
    assert all(key in text for key in SECRETS["airflow"])
