# syntax=docker/dockerfile:1.7
# SPDX-License-Identifier: Apache-2.0
# A Triton server on CPUs with the python backend: the same wheels as `make setup-triton`. It is for networks that many
# workers share; on GPUs take NVIDIA's own image instead: see docs/serving.md and deploy/compose/compose.gpu.yaml.
# docker build -f deploy/docker/triton.Dockerfile -t speechmill:triton .
FROM debian:12.12-slim AS build
# Debian's own Python: the wheel's server embeds it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3=3.11.* python3-venv=3.11.* \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/triton/requirements.txt /requirements.txt
RUN python3 -m venv /opt/triton \
    && /opt/triton/bin/pip install --no-cache-dir --no-compile --no-deps -r /requirements.txt
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python3 -m venv /opt/speechmill \
    && /opt/speechmill/bin/pip install --no-cache-dir --no-compile -c constraints.txt ".[triton]" \
    && for model in silero-vad-v6.2 dnsmos dvector; do \
        SPEECHMILL_MODELS=/opt/models /opt/speechmill/bin/speechmill models pull "${model}" || exit 1; \
    done \
    && SPEECHMILL_MODELS=/opt/models /opt/speechmill/bin/speechmill serve export /opt/repository

FROM debian:12.12-slim
LABEL org.opencontainers.image.title="speechmill's networks on Triton" org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpython3.11=3.11.* python3=3.11.* tini=0.19.* \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 speechmill \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home speechmill
COPY --from=build /opt/triton /opt/triton
COPY --from=build /opt/speechmill /opt/speechmill
COPY --from=build /opt/models /opt/models
COPY --from=build /opt/repository /opt/repository
ENV PATH=/opt/speechmill/bin:${PATH} \
    SPEECHMILL_MODELS=/opt/models \
    SPEECHMILL_TRITON=/opt/triton \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["speechmill", "serve", "check", "triton://localhost:8001"]
ENTRYPOINT ["/usr/bin/tini", "--"]
# All addresses of the container, which is reached by those who share a network with it; no port is published.
CMD ["speechmill", "serve", "run", "/opt/repository", "--host", "0.0.0.0", "--port", "8001"]
