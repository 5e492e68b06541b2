# SPDX-License-Identifier: Apache-2.0
"""Bring Airflow's database up to date, and put users, roles and connections into it that are not there yet.

    python initialise.py SECRETS.json [BUCKET]

SECRETS.json has the passwords of admin, op and viewer: `airflow users create` would have them on its command line,
which every user of a machine can read. Where AWS_ENDPOINT_URL is set, the connection aws_default leads there, and
BUCKET is made.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from airflow.models import Connection
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils import db
from airflow.utils.providers_configuration_loader import providers_configuration_loaded
from airflow.utils.session import create_session

ROLES = {"admin": "Admin", "op": "Op", "viewer": "Viewer"}
log = logging.getLogger("initialise")


@providers_configuration_loaded
def main(passwords: Path, bucket: str | None = None) -> None:
    """Do each step that is not done."""
    db.upgradedb()
    add_users(json.loads(passwords.read_text(encoding="utf-8")))
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        add_store(endpoint)
        if bucket:
            make_bucket(endpoint, bucket)


def add_users(passwords: dict[str, str]) -> None:
    """Add a user for each role; one that is there keeps its password."""
    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for name, role in ROLES.items():
            if manager.find_user(name):
                continue
            mail = f"{name}@localhost"
            if not manager.add_user(name, name, role, mail, manager.find_role(role), passwords[name]):
                raise SystemExit(f"could not add the user {name}")


def add_store(endpoint: str) -> None:
    """Add the connection of the object store; its secret is encrypted with the Fernet key."""
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id == "aws_default").delete()
        session.add(
            Connection(
                conn_id="aws_default",
                conn_type="aws",
                login=os.environ["AWS_ACCESS_KEY_ID"],
                password=os.environ["AWS_SECRET_ACCESS_KEY"],
                extra=json.dumps({"endpoint_url": endpoint, "region_name": os.environ["AWS_REGION"]}),
            )
        )


def make_bucket(endpoint: str, bucket: str) -> None:
    """Make the bucket."""
    import boto3

    store = boto3.client("s3", endpoint_url=endpoint)
    if bucket not in {one["Name"] for one in store.list_buckets()["Buckets"]}:
        store.create_bucket(Bucket=bucket)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
