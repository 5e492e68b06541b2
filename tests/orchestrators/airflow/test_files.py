# SPDX-License-Identifier: Apache-2.0
"""The files that are rendered for Airflow: no Airflow is needed to write them."""

from __future__ import annotations

import json

import pytest
import yaml

from speechmill import api
from speechmill.core.errors import ConfigError
from speechmill.orchestrators import FEATURES
from speechmill.orchestrators.airflow import CAPABILITIES, pools, render
from speechmill.pipeline import spec

CORPUS = """
name: talks
language: vi
sources: [{local: {path: ./audio}}]
orchestrate: {gpu: true, volume: {claim: speech, path: /speech}}
"""


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus.yaml").write_text(CORPUS)
    return spec.load(tmp_path / "corpus.yaml", {"vad.threshold": 0.6, "align": "gmm"})


def test_each_feature_has_a_word(corpus):
    assert set(CAPABILITIES) == set(FEATURES)
    assert all(one.supported and one.how for one in CAPABILITIES.values())


def test_the_dag_file_names_the_corpus_file_and_what_was_set_over_it(corpus, tmp_path):
    text = render(corpus, tmp_path)[0].read_text()
    assert repr(str(tmp_path / "corpus.yaml")) in text
    assert "SETTINGS = {'vad.threshold': 0.6, 'align': 'gmm'}" in text
    compile(text, "talks_dags.py", "exec")


def test_the_aligner_is_spelled_out_where_the_corpus_file_leaves_it_to_what_is_installed(tmp_path):
    (tmp_path / "corpus.yaml").write_text("language: en\nsources: [{local: {path: .}}]\n")
    assert "{'align': 'pocketsphinx'}" in render(spec.load(tmp_path / "corpus.yaml"), tmp_path)[0].read_text()


def test_a_folder_of_audio_is_no_corpus_file(tmp_path):
    (tmp_path / "audio").mkdir()
    with pytest.raises(ConfigError, match="write one with speechmill init"):
        render(api.corpus_of(tmp_path / "audio"), tmp_path)


def test_the_pools_are_as_airflow_imports_them(corpus, tmp_path):
    written = json.loads((render(corpus, tmp_path)[1]).read_text())
    assert written == pools(corpus)
    assert all(pool["slots"] == 1 and pool["description"] for pool in written.values())
    assert "speechmill_hold_talks" in written
    assert "speechmill_crawl" not in written  # it has nothing to crawl


def test_a_pod_may_do_as_little_as_it_can(corpus, tmp_path):
    pod = yaml.safe_load(render(corpus, tmp_path)[2].read_text())["spec"]
    (container,) = pod["containers"]
    assert container["name"] == "base"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["volumeMounts"] == [{"name": "workspace", "mountPath": "/speech"}]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "speech"}
