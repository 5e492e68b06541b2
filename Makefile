# make demo: set up, run the main job offline, say how good it is. make test: set up, run all tests.
PYTHON ?= python3
# The system's own: the Triton wheel's server embeds it, and crashes in some others.
SYSTEM_PYTHON ?= /usr/bin/python3
VENV := .venv
TRITON := .venv-triton
AIRFLOW := .venv-airflow
PIPELINES := .venv-pipelines
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
MODELS := silero-vad-v6.2 dnsmos dvector
TEST_MODELS := silero-vad-v6 distillmos

.PHONY: setup setup-triton setup-airflow setup-pipelines demo test test-system check soak clean

setup: $(VENV)/.setup

$(VENV)/.setup: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[demo]'
	$(BIN)/speechmill models pull $(MODELS)
	touch $@

$(VENV)/.test: $(VENV)/.setup
	$(PIP) -e '.[test,check]'
	$(BIN)/speechmill models pull $(TEST_MODELS)
	touch $@

# A real Triton server on Linux; the tests of serving are skipped without it.
setup-triton: $(TRITON)/.setup

$(TRITON)/.setup: deploy/triton/requirements.txt
	test -x $(TRITON)/bin/python || $(SYSTEM_PYTHON) -m venv $(TRITON)
	$(TRITON)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

# Orchestrators pin what they need, and not what we or each other need: each has an environment of its own.
setup-airflow: $(AIRFLOW)/.setup

setup-pipelines: $(PIPELINES)/.setup

$(AIRFLOW)/.setup: deploy/airflow/requirements.txt pyproject.toml
$(PIPELINES)/.setup: deploy/pipelines/requirements.txt pyproject.toml
$(AIRFLOW)/.setup $(PIPELINES)/.setup:
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c $< -e .
	test $(@D) != $(PIPELINES) || $(@D)/bin/python -m pip install --quiet --no-deps -r deploy/kubeflow/schemas.txt
	touch $@

demo: setup
	$(BIN)/speechmill demo

# One thread a process: a process on every core is busy already, and BLAS threads that wait for each other spin.
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n logical --dist loadfile

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Minutes: with real servers (PostgreSQL, S3 over HTTP, Airflow, a replica of YouTube), killed processes, long audio.
test-system: $(VENV)/.test
	$(BIN)/python -m pytest -q -m system --durations 40

soak: $(VENV)/.test
	$(BIN)/python -m pytest -q -s -m soak

clean:
	rm -rf $(VENV) $(TRITON) $(AIRFLOW) $(PIPELINES) demo-out
