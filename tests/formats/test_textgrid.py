# SPDX-License-Identifier: Apache-2.0
"""TextGrid: both formats, any Unicode, through praatio and back, and broken files."""

from __future__ import annotations

import codecs
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from praatio import textgrid as praatio

from speechmill.core.errors import FormatError
from speechmill.core.types import Word
from speechmill.formats import textgrid
from speechmill.formats.textgrid import IntervalTier, Point, PointTier, TextGrid

GRID = TextGrid(
    0.0,
    2.5,
    (
        IntervalTier("Ann", (Word("xin chào", 0.1, 0.2), Word('she said "no"', 0.3, 0.7), Word("a\nb", 2.0, 0.5))),
        IntervalTier("empty"),
        PointTier("bell", (Point(0.25, "ding"), Point(2.5, ""))),
    ),
)

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.3
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "spk ""one"" x"
        xmin = 0
        xmax = 2.3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = ""
        intervals [2]:
            xmin = 1
            xmax = 1.5
            text = "đi = 5 <ok> ! 7
rồi"
        intervals [3]:
            xmin = 1.5
            xmax = 2.3
            text = "2"
"""

SHORT = """File type = "ooTextFile short"
"TextGrid"

0
2.3
<exists>
1
"IntervalTier"
"spk ""one"" x"
0
2.3
3
0
1
""
1
1.5
"đi = 5 <ok> ! 7
rồi"
1.5
2.3
"2"
"""

PARSED = TextGrid(
    0.0, 2.3, (IntervalTier('spk "one" x', (Word("đi = 5 <ok> ! 7\nrồi", 1.0, 0.5), Word("2", 1.5, 0.8))),)
)


def _read(tmp_path: Path, content: str | bytes) -> TextGrid:
    path = tmp_path / "a.TextGrid"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return textgrid.read(path)


@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n"), LONG.replace("= 1", "=1")])
def test_long_and_short_format_read_alike(tmp_path, text):
    assert _read(tmp_path, text) == PARSED


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + LONG.encode(),
        codecs.BOM_UTF16_LE + LONG.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + LONG.encode("utf-16-be"),
    ],
)
def test_byte_order_marks_choose_the_encoding(tmp_path, content):
    assert _read(tmp_path, content) == PARSED


def test_latin_1_is_refused_with_line_and_byte(tmp_path):
    content = LONG.replace("đi", "né").replace("rồi", "").encode("latin-1")
    with pytest.raises(FormatError, match=rf"a\.TextGrid:22: byte {content.index(0xE9)} is not UTF-8.*Latin-1"):
        _read(tmp_path, content)


def test_comments_and_an_absent_flag(tmp_path):
    text = 'File type = "ooTextFile" ! made by hand, 3 "times"\nObject class = "TextGrid"\n0\n1.5\n<absent>\n'
    assert _read(tmp_path, text) == TextGrid(0.0, 1.5)


def test_a_tier_that_outlasts_the_grid_stretches_it(tmp_path):
    grid = _read(tmp_path, SHORT.replace("\n2.3\n<exists>", "\n2.0\n<exists>"))
    assert grid.xmax == 2.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.TextGrid:1: the file ends where a file type should be"),
        ("hello", "the file ends where a file type should be"),
        ('"Praat chronological TextGrid text file"', "not a TextGrid"),
        ('File type = "ooTextFile"\nObject class = "PitchTier"\n', "2: holds a Praat PitchTier"),
        (LONG[: LONG.index("        intervals [3]")], "23: the file ends where an interval's xmin"),
        (LONG.replace('text = "2"', 'text = "2'), "27: a quote is opened and never closed"),
        (LONG.replace("xmax = 1.5", "xmax = one"), "22: expected an interval's xmax, found"),
        (LONG.replace("xmax = 1.5", "xmax = 0.5"), "21: the interval ends at 0.5 s, before its start"),
        (LONG.replace("xmin = 1.5", "xmin = 1.2"), "26: the interval starts at 1.2 s, inside the one before"),
        (LONG.replace("size = 3", "size = 3.5"), "14: the number of intervals is 3.5"),
        (LONG.replace("size = 3", "size = 2"), "25: more follows"),
        (LONG.replace("IntervalTier", "AlienTier"), "'AlienTier' is neither"),
        (LONG.replace("xmax = 2.3", "xmax = -1", 1), "5: xmax -1.0 lies before xmin"),
    ],
)
def test_broken_files_say_where(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        _read(tmp_path, text)


def test_binary_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match="binary TextGrid"):
        _read(tmp_path, b"ooBinaryFile\x08TextGrid\x00\xff")


def test_writing_and_reading_back(tmp_path):
    path = tmp_path / "b.TextGrid"
    textgrid.write(path, GRID)
    assert textgrid.read(path) == GRID


def test_gaps_become_silence_and_intervals_are_contiguous(tmp_path):
    path = tmp_path / "b.TextGrid"
    xmax = 2.5000000000000004
    textgrid.write(path, TextGrid(0.0, xmax, (IntervalTier("w", (Word("a", 0.1, 0.2), Word("b", 0.3, 0.1))),)))
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    intervals = lines[lines.index("intervals [1]:") :]
    values = [line.split(" = ")[1] for line in intervals if " = " in line]
    assert values == ["0.0", "0.1", '""', "0.1", "0.3", '"a"', "0.3", "0.4", '"b"', "0.4", repr(xmax), '""']


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((Word("a", 0.0, 0.5), Word("b", 0.4, 0.5)), "'b' starts at 0.4 s, before 0.5 s"),
        ((Word("a", 0.5, 0.0),), "'a' at 0.5 s has no duration"),
        ((Word("a", 0.5, 0.7),), "'a' ends after xmax"),
        ((Word("a", -0.5, 0.7),), "'a' starts at -0.5 s"),
    ],
)
def test_what_praat_would_refuse_is_not_written(tmp_path, words, message):
    path = tmp_path / "b.TextGrid"
    with pytest.raises(FormatError, match=message):
        textgrid.write(path, TextGrid(0.0, 1.0, (IntervalTier("w", words),)))
    assert not path.exists()


def test_praatio_reads_what_we_write(tmp_path):
    path = tmp_path / "b.TextGrid"
    textgrid.write(path, GRID)
    other = praatio.openTextgrid(str(path), includeEmptyIntervals=False)
    assert other.maxTimestamp == 2.5
    assert other.tierNames == ("Ann", "empty", "bell")
    entries = [(entry.start, entry.end, entry.label) for entry in other.getTier("Ann").entries]
    assert entries == [(0.1, 0.3, "xin chào"), (0.3, 1.0, 'she said "no"'), (2.0, 2.5, "a\nb")]
    assert [(point.time, point.label) for point in other.getTier("bell").entries] == [(0.25, "ding")]


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_we_read_what_praatio_writes(tmp_path, form):
    ours, theirs = tmp_path / "b.TextGrid", tmp_path / "c.TextGrid"
    textgrid.write(ours, GRID)
    other = praatio.openTextgrid(str(ours), includeEmptyIntervals=True)
    other.save(str(theirs), format=form, includeBlankSpaces=True)
    assert textgrid.read(theirs) == GRID


LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)


@st.composite
def grids(draw):
    """Grids whose boundaries lie on 0.1 ms, as words and phones do."""
    xmax = draw(st.integers(1, 50_000))
    tiers = []
    for name in draw(st.lists(LABELS, max_size=3)):
        cuts = sorted(draw(st.sets(st.integers(0, xmax), max_size=8)))
        labels = [draw(LABELS) for _ in cuts[1:]]
        words = [
            Word(label, start / 1e4, (end - start) / 1e4)
            for label, start, end in zip(labels, cuts[:-1], cuts[1:], strict=True)
            if label
        ]
        tiers.append(IntervalTier(name, tuple(words)))
    return TextGrid(0.0, xmax / 1e4, tuple(tiers))


@settings(max_examples=40, deadline=None)
@given(grid=grids())
def test_round_trip_of_any_grid(tmp_path_factory, grid):
    path = tmp_path_factory.mktemp("grid") / "g.TextGrid"
    textgrid.write(path, grid)
    assert textgrid.read(path) == grid


def test_real_grids_survive_a_round_trip(shared_data, tmp_path):
    paths = sorted((shared_data / "mfa_samples").glob("*.TextGrid"))
    assert len(paths) == 4
    for path in paths:
        grid = textgrid.read(path)
        textgrid.write(tmp_path / path.name, grid)
        again = textgrid.read(tmp_path / path.name)
        assert again.xmax == grid.xmax
        for tier, other in zip(grid.tiers, again.tiers, strict=True):
            assert [word.symbol for word in tier.intervals] == [word.symbol for word in other.intervals]
            assert [word.start for word in tier.intervals] == pytest.approx(
                [word.start for word in other.intervals], abs=1e-9
            )


KEPT = """File type = "ooTextFile"
Object class = "TextGrid"
0 10.123456789012 <exists> 3
"IntervalTier" "notes" 0 10.123456789012 4
0 1.059222833923831 "" 1.059222833923831 2 "" 2 3.50 "say ""ah""
twice" 3.50 10.123456789012 ""
"TextTier" "clicks" 0 9 2 1.25 "x" 2.5 ""
"IntervalTier" "empty" 0 10.123456789012 1 0 10.123456789012 ""
"""


def test_tiers_are_kept_to_the_last_digit_and_the_last_empty_interval(tmp_path):
    (tmp_path / "in.TextGrid").write_text(KEPT)
    grid = textgrid.read_kept(tmp_path / "in.TextGrid")
    textgrid.write(tmp_path / "out.TextGrid", grid)
    again = textgrid.read_kept(tmp_path / "out.TextGrid")
    assert again == grid
    notes, clicks, empty = (tier.lines for tier in again.tiers)
    assert notes[:6] == (
        'class = "IntervalTier"',
        'name = "notes"',
        "xmin = 0",
        "xmax = 10.123456789012",
        "intervals: size = 4",
        "intervals [1]:",
    )
    assert [line.strip() for line in notes if "1.0592" in line] == [
        "xmax = 1.059222833923831",
        "xmin = 1.059222833923831",
    ]
    assert '    text = "say ""ah""\ntwice"' in notes
    assert notes.count('    text = ""') == 3
    assert clicks[3:] == (
        "xmax = 9",
        "points: size = 2",
        *("points [1]:", "    number = 1.25", '    mark = "x"'),
        *("points [2]:", "    number = 2.5", '    mark = ""'),
    )
    assert empty[6:] == ("    xmin = 0", "    xmax = 10.123456789012", '    text = ""')


def test_a_kept_tier_of_another_class_is_refused(tmp_path):
    (tmp_path / "in.TextGrid").write_text(KEPT.replace("TextTier", "PitchTier"))
    with pytest.raises(FormatError, match=r"in\.TextGrid:7: tier class 'PitchTier'"):
        textgrid.read_kept(tmp_path / "in.TextGrid")
