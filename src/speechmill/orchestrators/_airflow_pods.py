# SPDX-License-Identifier: Apache-2.0
"""Pods of Airflow's Kubernetes executor: a template for all tasks, and what a step needs over it.

A pod may do as little as it can: it is not root, gains no privileges, has no capabilities and no token of the cluster.
"""

from __future__ import annotations

from typing import Any

import yaml

from speechmill.pipeline.flow import Need
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.spec import Corpus

USER = 10001  # of our images
CONTAINER = "base"  # the name by which Airflow finds a task's container
AIRFLOW_MB = 512  # of its own process, beside the command's
GPU = "nvidia.com/gpu"


def pod_template(corpus: Corpus) -> str:
    """Return the YAML that AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE names."""
    options = corpus.orchestrate
    container = {
        "name": CONTAINER,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "resources": resources(Need(), options),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": False,  # Airflow writes its logs and its home
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "workspace", "mountPath": options.volume.path}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "speechmill-task", "labels": {"app.kubernetes.io/name": "speechmill"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": options.volume.claim}}],
        },
    }
    return yaml.safe_dump(pod, sort_keys=False)


def resources(need: Need, options: OrchestrateOptions) -> dict[str, dict[str, str]]:
    """Return a container's requests and limits. Memory is bounded; CPU that others leave may be used."""
    asked = {"cpu": f"{need.cpu:g}", "memory": f"{need.memory_mb + AIRFLOW_MB}Mi"}
    bounds = {"memory": asked["memory"]}
    if need.gpu:
        bounds[GPU] = asked[GPU] = str(need.gpu)
    return {"requests": asked, "limits": bounds}


def executor_config(need: Need, options: OrchestrateOptions, executors: str) -> dict[str, Any] | None:
    """Return what a step's tasks need over the template; None where no task runs in a pod.

    executors: as Airflow's configuration names them.
    """
    if "KubernetesExecutor" not in executors:
        return None
    from kubernetes.client import models as k8s  # type: ignore[import-not-found, unused-ignore]

    container = k8s.V1Container(
        name=CONTAINER,
        image=options.gpu_image if need.gpu else options.image,
        resources=k8s.V1ResourceRequirements(**resources(need, options)),
    )
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[container]))}
