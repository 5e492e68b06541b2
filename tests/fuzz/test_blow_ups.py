# SPDX-License-Identifier: Apache-2.0
"""Small files that would take hours or gigabytes: they are read quickly, or refused for what they are.

Each once took minutes, or would in a reader that looks at everything for everything. A test that goes on for longer
than `SECONDS` is stopped; none takes a tenth of that.
"""

from __future__ import annotations

import re
import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from tests.fuzz.targets import TARGETS, refused

SECONDS = 30
MEGABYTES = 96
MANY = 20_000

YAML_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n" for last, name in zip("abcdefghi", "bcdefghij", strict=True)
)
YAML_MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{last}'] * 9)}]}}\n"
    for last, name in zip("abcdefghi", "bcdefghij", strict=True)
)
XML_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{last};" * 10}">' for last, name in zip("abcdefghi", "bcdefghij", strict=True))
    + "]><ANNOTATION_DOCUMENT>&j;</ANNOTATION_DOCUMENT>"
)
SLOTS = "".join(f'<TIME_SLOT TIME_SLOT_ID="ts{i}"/>' for i in range(1, MANY))
EAF = (
    '<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts0" TIME_VALUE="0"/>{slots}'
    '<TIME_SLOT TIME_SLOT_ID="ts{many}" TIME_VALUE="99"/></TIME_ORDER><TIER TIER_ID="t">{rows}</TIER>'
    "</ANNOTATION_DOCUMENT>"
)
ROWS = "".join(
    f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{i}" TIME_SLOT_REF1="ts{i}" TIME_SLOT_REF2="ts{i + 1}"/>'
    "</ANNOTATION>"
    for i in range(MANY)
)
GRID_ROWS = "".join(f'{i} {i + 1} "w{i}" ' for i in range(MANY))
GRID = (
    f'"ooTextFile" "TextGrid" 0 {MANY} <exists> 2 "IntervalTier" "a" 0 {MANY} {MANY} {GRID_ROWS}'
    f'"IntervalTier" "a - words" 0 {MANY} {MANY} {GRID_ROWS}'
)
CSV = "recording,start,end,word,text\n" + "".join(f"r,{i},{i + 1},w,\nr,{i},{i + 1},,t\n" for i in range(MANY))

BLOW_UPS = {
    "aliases of aliases": ("corpus-file", YAML_LAUGHS, "more than 100000 values"),
    "merges of merges": ("corpus-file", YAML_MERGES, "more than 100000 values"),
    "an alias of itself": ("corpus-file", "a: &a [*a]", "64 levels"),
    "nested lists": ("corpus-file", "[" * 20_000, "nested too deep"),
    "a number of a million digits": ("corpus-file", "a: " + "9" * 1_000_000, "not YAML"),
    "infinity": ("corpus-file", "sources: [local: {path: a}]\nfilter: [.inf]", "is no number"),
    "entities of entities": ("eaf", XML_LAUGHS, "entities are not expanded"),
    "entities in another encoding": ("eaf", XML_LAUGHS.encode("utf-16"), "entities are not expanded"),
    "an encoding that nobody knows": ("eaf", '<?xml version="1.0" encoding="UTF-6"?><a/>', "not XML"),
    "nested elements": ("eaf", "<a>" * 200_000, "nested deeper than 64"),
    "slots without times": ("eaf", EAF.format(slots=SLOTS, many=MANY, rows=ROWS), None),
    "a grid that promises more than it has": (
        "textgrid",
        '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "a" 0 1 999999999999 0 1 "a"',
        "the file ends",
    ),
    "a grid that ends in infinity": ("textgrid", '"ooTextFile" "TextGrid" 0 1e999 <exists> 0', "not a time"),
    "an open quote before many": ("textgrid", '"ooTextFile" "TextGrid" 0 1 <exists> 1 "' + '""' * 200_000, ":1:"),
    "many words in many utterances": ("transcript-textgrid", GRID, "times-outside-recording"),
    "corrections of many words": ("corrections-csv", CSV, None),
    "a quote that is never closed": ("corrections-csv", 'start,end,text\n0,1,"' + "a\n" * 100_000, "field"),
    "many ways to say a word": ("lexicon", "".join(f"a\tp{i}\n" for i in range(50_000)), None),
    "a time of a million digits": ("srt", f"1\n{'9' * 1_000_000}:00:00,000 --> 00:00:01,000\na\n", "broken times"),
    "a channel of a million digits": ("ctm", f"r {'9' * 1_000_000} 0 1 a\n", "is not a number up to"),
    "channels that begin with noughts": ("ctm", "r 00 0 1 a\nr 1 0 1 b\n", None),
    "speakers without end": ("recordings-tsv", f"path\tnum_speakers\na\t{'9' * 1_000_000}\n", "whole number from 1"),
    "nested json": ("transcript-json", "[" * 1_000_000, "input"),
    "a channel before the first": (
        "transcript-json",
        '{"utterances": [{"text": "a", "channel": -1}]}',
        "of channel -1",
    ),
    "a key that is not UTF-8": ("manifest-jsonl", b'{"speechmill_schema":"1"}\n{"a\xc3b":1}\n', "input.jsonl:2"),
    "a head that is a list": ("manifest-jsonl", "[]\n", "input.jsonl:1"),
    "a nested index": ("index.json", "[" * 1_000_000, "can't be read"),
    "a nested marker": ("export-marker", "[" * 1_000_000, None),
}


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still at it after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("what", BLOW_UPS)
def test_small_files_stay_small(what: str, tmp_path: Path) -> None:
    name, content, message = BLOW_UPS[what]
    target = TARGETS[name]
    path = tmp_path / f"input{target.suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    error = refused(target, path, tmp_path)
    assert (error is None) == (message is None), error
    assert message is None or re.search(message, str(error)), error


@pytest.mark.parametrize("what", ["aliases of aliases", "merges of merges", "entities of entities", "nested elements"])
def test_what_is_refused_takes_no_memory(what: str, tmp_path: Path) -> None:
    name, content, _message = BLOW_UPS[what]
    path = tmp_path / f"input{TARGETS[name].suffix}"
    path.write_text(content)
    tracemalloc.start()
    assert refused(TARGETS[name], path, tmp_path) is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEGABYTES << 20
