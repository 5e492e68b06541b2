# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechmill.core.errors import ConfigError, FormatError, WorkspaceError
from speechmill.core.types import Drop, Segment, Word
from speechmill.formats.manifest import read_rows, segment_schema, table_of
from speechmill.pipeline.decide import Decision, Places, decide, fingerprint, write_decisions
from speechmill.pipeline.expressions import Rule
from speechmill.pipeline.filter import funnel, rules_from, sweep
from speechmill.pipeline.presets import PRESETS
from speechmill.pipeline.segment_columns import SegmentColumns

SCORES = ("snr_db", "dnsmos_ovrl")


def segment(number: int, duration: float, snr: float | None = 20.0, text: str | None = "xin chào", **more) -> Segment:
    return Segment(
        f"rec-0-{number:07d}",
        more.pop("recording_id", "rec"),
        float(number),
        duration,
        text=text,
        scores={"snr_db": snr, "dnsmos_ovrl": 3.0},
        **more,
    )


def write(path: Path, segments: list[Segment], row_group: int = 2) -> Path:
    """Write a table as a run does: without `drops`, in several row groups."""
    schema = segment_schema(SCORES)
    schema = schema.remove(schema.get_field_index("drops"))
    table = table_of(segments, segment_schema(SCORES)).drop_columns(["drops"]).cast(schema)
    pq.write_table(table, path, row_group_size=row_group)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    segments = [segment(0, 1.0), segment(2, 4.0, snr=5.0), segment(8, 10.0, snr=None), segment(20, 40.0, snr=5.0)]
    return write(tmp_path / "segments.parquet", segments)


def drops(table: Path, *rules: str) -> list[list[dict]]:
    return decide(Places(table), [Rule(rule) for rule in rules])["drops"].to_pylist()


def test_a_segment_is_kept_or_every_rule_it_breaks_is_named(table):
    assert drops(table, "duration <= 30", "snr_db >= 10") == [
        [],
        [{"rule": "snr_db >= 10", "value": 5.0, "threshold": 10.0}],
        [{"rule": "snr_db >= 10", "value": None, "threshold": 10.0}],
        [
            {"rule": "duration <= 30", "value": 40.0, "threshold": 30.0},
            {"rule": "snr_db >= 10", "value": 5.0, "threshold": 10.0},
        ],
    ]


def test_a_missing_value_is_kept_where_the_rule_says_so(table):
    rules = rules_from([{"rule": "snr_db >= 10", "missing": "keep"}])
    assert [len(found) for found in decide(Places(table), rules)["drops"].to_pylist()] == [0, 1, 0, 1]


def test_no_rules_keep_everything(table):
    assert drops(table) == [[], [], [], []]


def test_decisions_have_the_tables_ids_in_its_order_and_come_back_as_structs(table, tmp_path):
    write_decisions(tmp_path / "decisions.parquet", decide(Places(table), [Rule("duration <= 30")]))
    assert read_rows(tmp_path / "decisions.parquet", Decision) == [
        Decision("rec-0-0000000", split="train"),
        Decision("rec-0-0000002", split="train"),
        Decision("rec-0-0000008", split="train"),
        Decision("rec-0-0000020", (Drop("duration <= 30", 40.0, 30.0),)),
    ]


def test_a_table_without_segments_has_no_decisions(tmp_path):
    path = write(tmp_path / "segments.parquet", [])
    assert decide(Places(path), PRESETS["asr-broad"]).num_rows == 0
    assert sweep(path, (), "snr_db") == []


def test_text_and_words_are_columns_too(tmp_path):
    words = (Word("a", 0.0, 0.5, 0.5), Word("b", 0.5, 0.5, 1.0), Word("c", 1.0, 0.5))
    path = write(
        tmp_path / "segments.parquet",
        [
            segment(0, 2.0, text=" năm ", words=words),
            segment(1, 2.0, text="  "),
            segment(2, 2.0, text=None, words=words[2:]),
        ],
    )
    columns = SegmentColumns(path)
    assert columns.numbers("num_chars").tolist() == [3, 0, 0]
    assert columns.truths("has_text").tolist() == [True, False, False]
    assert columns.numbers("num_words").tolist() == [3, 0, 1]
    assert columns.numbers("min_word_score")[0] == 0.5
    assert columns.numbers("mean_word_score")[0] == 0.75
    assert str(columns.numbers("mean_word_score")[1:].tolist()) == "[nan, nan]"
    assert columns.numbers("seconds_per_char")[0] == pytest.approx(2 / 3)
    assert drops(path, "min_word_score >= 0.6") == [
        [{"rule": "min_word_score >= 0.6", "value": 0.5, "threshold": 0.6}],
        [{"rule": "min_word_score >= 0.6", "value": None, "threshold": 0.6}],
        [{"rule": "min_word_score >= 0.6", "value": None, "threshold": 0.6}],
    ]


def test_languages_and_recordings_are_the_same_across_row_groups(tmp_path):
    segments = [
        segment(0, 1.0, language="vi", recording_id="b"),
        segment(1, 2.0, language=None, recording_id="a"),
        segment(2, 3.0, language="en", recording_id="b"),
        segment(3, 9.0, language="vi", recording_id="a"),
        segment(4, 90.0, language="vi", recording_id="b"),
    ]
    columns = SegmentColumns(write(tmp_path / "segments.parquet", segments))
    for name, expected in (("language", ["vi", None, "en", "vi", "vi"]), ("recording_id", ["b", "a", "b", "a", "b"])):
        coded = columns.coded(name)
        assert [coded.values[code] if code >= 0 else None for code in coded.codes] == expected


def test_a_text_rule_names_no_number(tmp_path):
    path = write(tmp_path / "segments.parquet", [segment(0, 1.0, language="en")])
    assert drops(path, "language == 'vi'") == [[{"rule": "language == 'vi'", "value": None, "threshold": None}]]


def test_every_preset_applies(table):
    for name in PRESETS:
        assert decide(Places(table), rules_from(name, SCORES)).num_rows == 4


def test_a_preset_is_changed_by_rules_and_without():
    rules = rules_from({"preset": "tts-strict", "rules": ["snr_db>=15"], "without": ["snr_db>=25", "has_text"]}, SCORES)
    assert [rule.expression for rule in rules] == [
        "2 <= duration <= 20",
        "overlap == 0",
        "dnsmos_ovrl >= 3.2",
        "4 <= num_chars / duration <= 30",
        "snr_db >= 15",
    ]


def test_without_a_column_is_without_every_rule_that_reads_it():
    rules = rules_from({"preset": "tts-strict", "without": ["duration"]})
    assert [rule.expression for rule in rules] == ["has_text", "overlap == 0", "dnsmos_ovrl >= 3.2", "snr_db >= 25"]


def test_none_is_no_rule():
    assert rules_from("none") == rules_from(None) == rules_from([]) == ()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("asr-brod", "did you mean 'asr-broad'"),
        ("duration >= 1", "a rule stands in a list"),
        ({"presets": "asr-broad"}, "unknown key 'presets'; did you mean 'preset'"),
        ({"preset": "tts-strict", "without": ["snr_db >= 24"]}, "did you mean 'snr_db >= 25'"),
        ({"preset": "tts-strict", "without": "snr_db"}, "without must be a list"),
        ({"preset": ["tts-strict"]}, "no preset"),
        ([{"rule": "duration >= 1", "missing": "maybe"}], "a rule is an expression or"),
        ([{"rule": "duration >= 1", "keep": True}], "a rule is an expression or"),
        ([3], "a rule is an expression or"),
        (["duratio >= 1"], "no column 'duratio'; did you mean 'duration'"),
        (["snr_bd >= 1"], "no column 'snr_bd'; did you mean 'snr_db'"),
        (3, "must be a preset's name"),
    ],
)
def test_a_wrong_configuration_says_what_is_right(config, message):
    with pytest.raises(ConfigError, match=message):
        rules_from(config, SCORES)


def test_a_score_that_nothing_computes_names_the_metric_to_add(monkeypatch, table):
    from speechmill.pipeline import scores
    from speechmill.quality import Column

    column = Column("MOS", (1, 5), True, "somebody")
    monkeypatch.setattr(scores, "describe", lambda: {"p808": scores.Score("dnsmos", column)})
    with pytest.raises(ConfigError, match=r"does not compute.*quality: \[dnsmos\]"):
        rules_from(["p808 >= 3"], SCORES)
    with pytest.raises(ConfigError, match=r"quality: \[dnsmos\]"):
        decide(Places(table), [Rule("p808 >= 3")])


def test_a_fingerprint_follows_rules_and_table_but_not_spelling_or_reason():
    name = fingerprint([Rule("duration>=1")], "a")
    assert name == fingerprint([Rule("duration >= 1", "short")], "a")
    assert len({name, fingerprint([Rule("duration >= 2")], "a"), fingerprint([Rule("duration >= 1")], "b")}) == 3
    assert fingerprint((), "a") != fingerprint((), "b")


def test_a_sweep_counts_hours_with_every_other_rule_applied(table):
    points = sweep(table, [Rule("duration <= 30"), Rule("snr_db >= 99")], "snr_db", [0, 5, 6, 21])
    assert points == [(0, 5 / 3600, 2), (5, 5 / 3600, 2), (6, 1 / 3600, 1), (21, 0, 0)]


def test_a_sweep_where_lower_is_better_keeps_what_is_below(table):
    points = sweep(table, (), "snr_db", [4, 5, 20], higher_is_better=False)
    assert points == [(4, 0, 0), (5, 44 / 3600, 2), (20, 45 / 3600, 3)]


def test_a_sweep_finds_round_thresholds_and_names_unknown_columns(table):
    thresholds = [point.threshold for point in sweep(table, (), "snr_db")]
    assert thresholds[0] == 5.0
    assert thresholds[1] == 5.5
    assert thresholds[-1] == 20.0
    with pytest.raises(ConfigError, match="did you mean 'snr_db'"):
        sweep(table, (), "snr")
    with pytest.raises(ConfigError, match="goes over one column"):
        sweep(table, (), "snr_db / 2")


def test_the_funnel_tells_what_only_one_rule_drops(table):
    found = decide(Places(table), [Rule("duration <= 30"), Rule("snr_db >= 10")])["drops"]
    total = funnel([1.0, 4.0, 10.0, 40.0], found)
    assert (total.segments, total.kept) == (4, 1)
    assert total.segments_hours == pytest.approx(55 / 3600)
    assert total.kept_hours == pytest.approx(1 / 3600)
    first, second = total.losses
    assert (first.rule, first.segments, first.only_segments) == ("snr_db >= 10", 3, 2)
    assert first.only_hours == pytest.approx(14 / 3600)
    assert (second.rule, second.segments, second.only_segments) == ("duration <= 30", 1, 0)


def test_no_parquet_and_another_version_are_refused(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(FormatError, match=r"broken\.parquet"):
        decide(Places(tmp_path / "broken.parquet"), ())
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(WorkspaceError, match="schema version none"):
        decide(Places(tmp_path / "other.parquet"), ())


def test_filtering_imports_nothing_heavy():
    program = (
        "import sys; from speechmill.pipeline import filter; "
        "heavy = {'torch', 'pandas', 'scipy', 'onnxruntime', 'av', 'yaml'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_deciding_does_not_import_pandas(table):
    program = (
        "import sys; from pathlib import Path; from speechmill.pipeline.decide import *; "
        "from speechmill.pipeline.filter import *; "
        f"write_decisions(Path({str(table.with_name('out.parquet'))!r}), "
        f"decide(Places(Path({str(table)!r})), "
        "rules_from(['snr_db >= 10', 'has_text', \"optional(language == 'vi')\"]))); "
        "sys.exit('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_taken_down_is_dropped_whatever_the_rules_say(tmp_path):
    segments = [segment(0, 1.0), segment(2, 4.0, snr=5.0, recording_id="gone"), segment(8, 2.0, recording_id="gone")]
    table = write(tmp_path / "segments.parquet", segments)
    found = decide(Places(table), [Rule("snr_db >= 10")], {"gone", "never seen"})["drops"].to_pylist()
    withdrawn = {"rule": "taken-down", "value": None, "threshold": None}
    assert found == [[], [{"rule": "snr_db >= 10", "value": 5.0, "threshold": 10.0}, withdrawn], [withdrawn]]


def test_a_takedown_makes_other_decisions():
    names = {fingerprint((), "table", gone) for gone in ((), ("a",), ("b",), ("a", "b"))}
    assert len(names) == 4
    assert fingerprint((), "table", ["b", "a"]) == fingerprint((), "table", ["a", "b"])
