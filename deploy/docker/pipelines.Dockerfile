# syntax=docker/dockerfile:1.7
# SPDX-License-Identifier: Apache-2.0
# The SDKs of Flyte and Kubeflow Pipelines beside speechmill, for the containers of their tasks. Each has an environment
# of its own, for the SDKs pin what they need. `speechmill` is the whole one of the base.
# docker build -f deploy/docker/pipelines.Dockerfile -t speechmill:pipelines .
# On a GPU: --build-arg BASE=speechmill:gpu -t speechmill:pipelines-gpu
ARG BASE=speechmill:cpu
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY deploy/pipelines/requirements.txt requirements.txt
RUN python -m venv /opt/pipelines-venv \
    && /opt/pipelines-venv/bin/pip install --no-cache-dir --no-compile -r requirements.txt
COPY src src
# Its own command goes: tasks must find the whole one, though the SDKs' Python comes first on PATH.
RUN /opt/pipelines-venv/bin/pip install --no-cache-dir --no-compile -c requirements.txt . \
    && rm /opt/pipelines-venv/bin/speechmill

FROM ${BASE}
LABEL org.opencontainers.image.title="speechmill with Flyte's and Kubeflow's SDKs" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/pipelines-venv /opt/pipelines-venv
ENV PATH=/opt/pipelines-venv/bin:${PATH}
USER 10001:10001
HEALTHCHECK NONE
CMD ["pyflyte", "--version"]
