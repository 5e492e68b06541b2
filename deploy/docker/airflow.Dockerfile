# syntax=docker/dockerfile:1.7
# SPDX-License-Identifier: Apache-2.0
# Airflow beside speechmill, for all of Airflow's services and its workers. Each has an environment of its own, for
# Airflow pins what it needs. `speechmill` is the whole one of the base; Airflow's has a small one that its DAG files import.
# docker build -f deploy/docker/airflow.Dockerfile -t speechmill:airflow .
# On a GPU: --build-arg BASE=speechmill:gpu -t speechmill:airflow-gpu
ARG BASE=speechmill:cpu
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY deploy/airflow/requirements.txt requirements.txt
RUN python -m venv /opt/airflow-venv \
    && /opt/airflow-venv/bin/pip install --no-cache-dir --no-compile -r requirements.txt
COPY src src
# Its own command goes: tasks must find the whole one, though Airflow's Python comes first on PATH.
RUN /opt/airflow-venv/bin/pip install --no-cache-dir --no-compile -c requirements.txt . \
    && rm /opt/airflow-venv/bin/speechmill

FROM ${BASE}
LABEL org.opencontainers.image.title="speechmill with Apache Airflow" org.opencontainers.image.licenses="Apache-2.0"
USER 0
RUN install --directory --owner=10001 --group=10001 /opt/airflow /logs
COPY --from=build /opt/airflow-venv /opt/airflow-venv
COPY deploy/airflow/airflow.cfg deploy/airflow/initialise.py deploy/airflow/webserver_config.py /etc/airflow/
COPY --chmod=0755 deploy/docker/airflow-health deploy/docker/airflow-init /usr/local/bin/
ENV PATH=/opt/airflow-venv/bin:${PATH} \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW_CONFIG=/etc/airflow/airflow.cfg \
    AIRFLOW__FAB__CONFIG_FILE=/etc/airflow/webserver_config.py \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/logs \
    AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY=/logs/dag_processor
WORKDIR /opt/airflow
USER 10001:10001
# Each of Airflow's services has another check: deploy/compose/compose.yaml and the Helm chart have them.
HEALTHCHECK NONE
CMD ["airflow", "version"]
