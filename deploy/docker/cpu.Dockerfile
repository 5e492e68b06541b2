# syntax=docker/dockerfile:1.7
# SPDX-License-Identifier: Apache-2.0
# speechmill for machines without a GPU. No torch, and nothing under the GPL: see docs/deployment.md.
# docker build -f deploy/docker/cpu.Dockerfile -t speechmill:cpu .
FROM python:3.11.14-slim-bookworm AS build
ARG EXTRAS=align,chinese,crawl,dask,faster-whisper,icu,langid,onnx-asr,pocketsphinx,postgresql,ray,s3,sherpa-onnx,socks,telemetry,thai,triton
ARG MODELS="silero-vad-v6.2 dnsmos dvector"
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/speechmill \
    && /opt/speechmill/bin/pip install --no-cache-dir --no-compile -c constraints.txt ".[${EXTRAS}]"
# Weights that every corpus needs are in the image, checked by their hashes: containers need no network for them.
RUN for model in ${MODELS}; do \
        SPEECHMILL_MODELS=/opt/models /opt/speechmill/bin/speechmill models pull "${model}" || exit 1; \
    done

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="speechmill" org.opencontainers.image.licenses="Apache-2.0"
# tini: the first process of a container gets no SIGTERM that it doesn't ask for, and must reap others' children.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini=0.19.* \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 speechmill \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home speechmill \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/speechmill /opt/speechmill
COPY --from=build /opt/models /opt/models
COPY --chmod=0755 deploy/docker/with-secrets /usr/local/bin/with-secrets
# One thread a process: speechmill has a process on every core.
ENV PATH=/opt/speechmill/bin:${PATH} \
    SPEECHMILL_MODELS=/opt/models \
    NUMBA_CACHE_DIR=/tmp/numba \
    OMP_NUM_THREADS=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
USER 10001:10001
# A batch job has no health but its exit status; servers made of this image bring a check of their own.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/with-secrets"]
CMD ["speechmill", "--help"]
