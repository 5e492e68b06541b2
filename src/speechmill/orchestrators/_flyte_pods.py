# SPDX-License-Identifier: Apache-2.0
"""The pod of a task: the shared volume, and no right that speechmill doesn't need."""

from __future__ import annotations

from typing import Any

from kubernetes import client

from speechmill.orchestrators._flyte_work import Work
from speechmill.pipeline.flow import CORPUS

USER = 10001  # of our images
SECRET = "speechmill"  # a Secret of the namespace, whose keys are environment variables: PGPASSWORD, S3 keys
SCRATCH = "/tmp"


def pod(work: Work) -> tuple[Any, dict[str, str]]:
    """Return the pod that a task runs in, without what Flyte fills in, and its environment."""
    volume = work.options.volume
    mounts = [
        client.V1VolumeMount(name="data", mount_path=volume.path),
        client.V1VolumeMount(name="scratch", mount_path=SCRATCH),
    ]
    container = client.V1Container(
        name="primary",
        volume_mounts=mounts,
        env_from=_secrets() if CORPUS in work.step.command else None,
        security_context=client.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=client.V1Capabilities(drop=["ALL"]),
        ),
    )
    claim = client.V1PersistentVolumeClaimVolumeSource(claim_name=volume.claim)
    spec = client.V1PodSpec(
        containers=[container],
        volumes=[
            client.V1Volume(name="data", persistent_volume_claim=claim),
            client.V1Volume(name="scratch", empty_dir=client.V1EmptyDirVolumeSource()),
        ],
        automount_service_account_token=False,
        security_context=client.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=client.V1SeccompProfile(type="RuntimeDefault"),
        ),
    )
    return spec, {"HOME": SCRATCH}


def _secrets() -> list[Any]:
    """Return where steps that ask remote sources or the catalog get passwords from, where there are any."""
    return [client.V1EnvFromSource(secret_ref=client.V1SecretEnvSource(name=SECRET, optional=True))]
