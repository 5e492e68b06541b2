# SPDX-License-Identifier: Apache-2.0
import json

import jsonschema
import pytest
import yaml

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.pipeline import spec

MINIMAL = "sources:\n  - local: {path: ./audio}\n"


def load(tmp_path, text, **settings):
    path = tmp_path / "corpus.yaml"
    path.write_text(text, encoding="utf-8")
    return spec.load(path, settings)


def test_defaults_are_filled_in(tmp_path):
    corpus = load(tmp_path, MINIMAL + "language: en\n")
    assert [choice.backend for choice in corpus.transcript] == ["sidecar", "pocketsphinx"]
    assert corpus.align.backend == "pocketsphinx"
    assert corpus.store == tmp_path / "workspace"


def test_a_language_without_an_offline_recogniser_has_sidecars_only(tmp_path):
    corpus = load(tmp_path, MINIMAL + "language: vi\n")
    assert [choice.backend for choice in corpus.transcript] == ["sidecar"]


def test_other_languages_are_aligned_by_a_model_of_the_corpus_where_one_can_be_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "missing_packages", lambda module: [])
    assert load(tmp_path, MINIMAL + "language: vi\n").align.backend == "gmm"
    assert load(tmp_path, MINIMAL + "language: vi\ntranscript: []\n").align is None
    assert load(tmp_path, MINIMAL).align is None
    monkeypatch.setattr(registry, "missing_packages", lambda module: ["numba>=0.61"])
    assert load(tmp_path, MINIMAL + "language: vi\n").align is None


def test_a_rule_may_ask_for_the_score_of_an_aligner_that_gives_one(tmp_path):
    rule = "filter: [alignment_score >= 0.5]\n"
    assert load(tmp_path, MINIMAL + "align: gmm\n" + rule).align.backend == "gmm"
    with pytest.raises(ConfigError, match=r"does not compute.*align: gmm"):
        load(tmp_path, MINIMAL + "align: pocketsphinx\n" + rule)


@pytest.mark.parametrize("written", ["vad: {silero: {threshold: 0.6}}", "vad: {backend: silero, threshold: 0.6}"])
def test_a_backend_may_be_written_in_two_ways(tmp_path, written):
    assert load(tmp_path, f"{MINIMAL}{written}\n").vad.config.threshold == 0.6


def test_an_unknown_key_names_line_and_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.yaml:3: vadd: unknown; did you mean 'vad'"):
        load(tmp_path, MINIMAL + "vadd: silero\n")


def test_an_unknown_option_names_line_and_nearest(tmp_path):
    text = MINIMAL + "vad:\n  backend: silero\n  treshold: 0.6\n"
    with pytest.raises(ConfigError, match=r"corpus.yaml:5: vad.silero.treshold: unknown; did you mean 'threshold'"):
        load(tmp_path, text)


def test_a_wrong_type_names_field_and_line(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.yaml:5: vad.silero.threshold: Expected `float`, got `str`"):
        load(tmp_path, MINIMAL + "name: x\nvad:\n  silero: {threshold: high}\n")


def test_an_unknown_backend_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.yaml:3: vad: no vad backend 'silro'; did you mean 'silero'"):
        load(tmp_path, MINIMAL + "vad: silro\n")


def test_a_condition_that_is_not_one_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"diarize\.when"):
        load(tmp_path, MINIMAL + "diarize: {backend: dvector, when: \"__import__('os')\"}\n")


def test_broken_yaml_names_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.yaml:4: not YAML: expected"):
        load(tmp_path, MINIMAL + "vad: [silero\nname: x\n")


def test_broken_utf8_is_refused(tmp_path):
    path = tmp_path / "corpus.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 6\)"):
        spec.load(path)


def test_settings_replace_fields_inside_shorthands(tmp_path):
    corpus = load(tmp_path, MINIMAL + "vad: silero\n", **{"vad.threshold": 0.7})
    assert corpus.vad.config.threshold == 0.7


def test_a_remote_store_is_refused_clearly(tmp_path):
    with pytest.raises(ConfigError, match="only local folders yet"):
        load(tmp_path, MINIMAL + "store: s3://bucket/prefix\n")


def test_a_metric_named_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.yaml:3: quality: named twice: snr"):
        load(tmp_path, MINIMAL + "quality: [snr, snr]\n")


def test_the_json_schema_accepts_what_init_writes_and_refuses_nonsense():
    from speechmill.cli.init import TEMPLATE

    text = TEMPLATE.format(name="x", language="en", transcript="[sidecar]", align="pocketsphinx")
    schema = json.loads(json.dumps(spec.json_schema()))
    jsonschema.validate(yaml.safe_load(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"sources": [], "vadd": "silero"}, schema)
