# SPDX-License-Identifier: Apache-2.0
"""The order of stages, and what changes a fingerprint."""

import msgspec
import pytest

from speechmill import models
from speechmill.core.errors import ConfigError, UnsupportedLanguage
from speechmill.core.registry import FAMILIES, Choice, load, names
from speechmill.core.stage import Resources
from speechmill.core.types import Source
from speechmill.pipeline import spec
from speechmill.pipeline.plan import (
    check_backends,
    check_languages,
    choice_identity,
    in_order,
    nodes,
    stages,
)
from speechmill.stages.glue import Glue
from speechmill.stages.quality import Quality
from speechmill.stages.vad import Vad
from speechmill.vad import silero

AFTER_VAD = {"vad", "transcribe", "diarize", "segment", "quality.snr", "quality.dnsmos", "align"}


def made(name, reads, writes):
    stage = Glue()
    stage.name, stage.reads, stage.writes = name, tuple(reads), tuple(writes)
    return stage


def corpus(tmp_path, **fields):
    return spec.resolve({"sources": [{"local": {"path": "."}}], "language": "en", **fields}, tmp_path)


def prints(corpus):
    return {node.name: node.fingerprint for node in nodes(corpus)}


def changed(before, after):
    """Names of the stages whose fingerprints differ, or that only one of the two has."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_stage_comes_after_the_one_whose_column_it_reads():
    found = in_order([made("c", ["y"], ["z"]), made("b", ["x"], ["y"]), made("a", [], ["x"])])
    assert [stage.name for stage in found] == ["a", "b", "c"]


def test_stages_that_could_run_in_any_order_keep_theirs():
    found = in_order([made("a", [], ["x"]), made("c", ["x"], ["z"]), made("b", ["x"], ["y"])])
    assert [stage.name for stage in found] == ["a", "c", "b"]


def test_a_circle_is_refused():
    with pytest.raises(ConfigError, match="stages read in a circle"):
        in_order([made("a", ["y"], ["x"]), made("b", ["x"], ["y"])])


def test_a_column_that_nobody_writes_is_named():
    with pytest.raises(ConfigError, match="no stage writes speech, turns"):
        in_order([made("a", [], ["audio"]), made("b", ["audio", "speech", "turns"], ["segments"])])


def test_the_main_job_is_in_order(tmp_path):
    names = [stage.name for stage in stages(corpus(tmp_path))]
    assert names[:5] == ["normalise", "vad", "transcribe", "diarize", "segment"]
    assert set(names[5:]) == {"quality.snr", "quality.dnsmos", "align"}


def test_the_same_corpus_has_the_same_fingerprints(tmp_path):
    assert prints(corpus(tmp_path)) == prints(corpus(tmp_path / "elsewhere", store="other", name="x"))


def test_a_default_written_out_changes_no_fingerprint(tmp_path):
    written = corpus(tmp_path, vad={"silero": {"threshold": 0.5, "pad_ms": 30.0}})
    assert prints(corpus(tmp_path)) == prints(written)


class Grown(silero.Config, frozen=True, forbid_unknown_fields=True):
    """The options of a later version."""

    sharpen: bool = False
    bands: list[float] = msgspec.field(default_factory=lambda: [1.0, 2.0])


def test_a_new_option_with_a_default_changes_no_fingerprint():
    before = choice_identity(Choice("vad", "silero", silero.Config(threshold=0.6)))
    assert choice_identity(Choice("vad", "silero", Grown(threshold=0.6))) == before
    assert choice_identity(Choice("vad", "silero", Grown(threshold=0.6, sharpen=True))) != before
    assert choice_identity(Choice("vad", "silero", Grown(threshold=0.6, bands=[1.0]))) != before


def test_an_option_changes_its_stage_and_everything_downstream(tmp_path):
    later = corpus(tmp_path, vad={"silero": {"threshold": 0.6}})
    assert changed(prints(corpus(tmp_path)), prints(later)) == AFTER_VAD


def test_a_metric_more_changes_no_other_stage(tmp_path):
    before, after = corpus(tmp_path, quality=["snr"]), corpus(tmp_path, quality=["dnsmos", "snr"])
    assert changed(prints(before), prints(after)) == {"quality.dnsmos"}


def test_another_model_changes_its_stage_and_everything_downstream(tmp_path, monkeypatch):
    before, real = prints(corpus(tmp_path)), models.digest
    monkeypatch.setattr(models, "digest", lambda name: "0" * 64 if name == "silero-vad-v6.2" else real(name))
    assert changed(before, prints(corpus(tmp_path))) == AFTER_VAD


def test_another_version_of_a_backend_changes_its_stage_and_everything_downstream(tmp_path, monkeypatch):
    before = prints(corpus(tmp_path))
    monkeypatch.setattr(silero, "VERSION", "999")
    assert changed(before, prints(corpus(tmp_path))) == AFTER_VAD


def test_another_version_of_a_stage_changes_it_and_everything_downstream(tmp_path, monkeypatch):
    before = prints(corpus(tmp_path))
    monkeypatch.setattr(Vad, "version", "999")
    assert changed(before, prints(corpus(tmp_path))) == AFTER_VAD


def test_a_condition_is_part_of_the_identity(tmp_path):
    later = corpus(tmp_path, diarize={"backend": "dvector", "when": "num_speakers == 2"})
    assert "diarize" in changed(prints(corpus(tmp_path)), prints(later))


def test_the_order_of_transcripts_counts(tmp_path):
    one = corpus(tmp_path, transcript=["sidecar", "pocketsphinx"])
    other = corpus(tmp_path, transcript=["pocketsphinx", "sidecar"])
    assert "transcribe" in changed(prints(one), prints(other))


def test_time_and_memory_limits_change_no_fingerprint(tmp_path, monkeypatch):
    before = prints(corpus(tmp_path))
    monkeypatch.setattr(Vad, "resources", Resources(cpu=4, memory_mb=9, timeout_s=1, retries=7))
    assert prints(corpus(tmp_path)) == before


def test_what_changes_no_result_is_no_option():
    """Device, batch, threads and limits come from the context and the engine, so they are in no fingerprint."""
    forbidden = {"device", "batch_size", "workers", "threads", "num_threads", "cpu_threads", "timeout_s", "memory_mb"}
    configs = {(family, name): load(family, name).Config for family in FAMILIES for name in names(family)}
    assert len(configs) > 10
    assert [who for who, config in configs.items() if forbidden & set(config.__struct_fields__)] == []


def test_a_backend_that_does_not_know_the_language_is_refused(tmp_path):
    asked = corpus(tmp_path, language="vi", transcript=["pocketsphinx"])
    with pytest.raises(UnsupportedLanguage, match="'pocketsphinx' does not know the language 'vi'"):
        check_backends(asked)


def test_an_address_of_a_server_that_is_none_is_refused_before_work_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown field `bogus`.*the options are fallback"):
        check_backends(corpus(tmp_path, device="triton://localhost?bogus=1"))
    check_backends(corpus(tmp_path, device="triton://localhost"))


def test_a_condition_lets_a_backend_be_there_for_other_languages(tmp_path):
    asked = {"backend": "pocketsphinx", "when": "language == 'en'"}
    check_backends(corpus(tmp_path, language="vi", transcript=["sidecar", asked], align=None))


def test_a_language_of_a_recording_that_no_backend_knows_is_refused(tmp_path):
    asked = corpus(tmp_path, transcript=["pocketsphinx"])
    check_languages(asked, [Source("a", "a.wav", language="en-GB"), Source("b", "b.wav")])
    with pytest.raises(UnsupportedLanguage, match="knows the language 'vi'; those that do: faster_whisper"):
        check_languages(asked, [Source("a", "a.wav", language="vi")])


def test_without_transcripts_any_language_will_do(tmp_path):
    check_languages(corpus(tmp_path, transcript=[]), [Source("a", "a.wav", language="vi")])


def test_a_metric_reads_what_its_node_says(tmp_path):
    (stage,) = [one for one in stages(corpus(tmp_path, quality=["snr"])) if isinstance(one, Quality)]
    assert stage.reads == ("audio", "speech", "segments")
    assert stage.writes == ("segments.scores.snr_db", "segments.gaps.quality.snr")
