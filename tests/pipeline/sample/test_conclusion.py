# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from speechmill.cli.main import cli
from speechmill.core.errors import FormatError, SpeechmillError, WorkspaceError
from speechmill.pipeline.sample import Sample, conclude, draw
from speechmill.pipeline.sample.estimates import Judged, estimate
from speechmill.store.corrections import log
from speechmill.store.workspace import Workspace

GOOD_TEXT, EDITED = "talk-0-0-0001000-0001900", "talk-1-0-0001000-0001900"


@pytest.fixture
def sample(workspace: Workspace) -> Sample:
    """All sixteen kept segments."""
    return draw(workspace, 100, "language", 0)


def write(path: Path, sample: Sample, said: dict[str, tuple[str, str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("sample", "segment", "verdict", "text", "speaker"))
        rows.writerows((sample.id, name, *cells) for name, cells in said.items())
    return path


def test_verdicts_become_shares_of_the_dataset(workspace: Workspace, sample: Sample, tmp_path: Path) -> None:
    said = {f"talk-{n}-0-0001000-0001900": ("good", "", "") for n in range(4)}
    said["talk-0-0-0002000-0002900"] = ("wrong-text bad-audio", "", "")
    found = conclude(workspace, write(tmp_path / "v.csv", sample, said), who="Lan")
    # English: 12 segments, 3 of 4 judged good; Vietnamese: 4 segments, 1 of 1
    assert found.precision == estimate([Judged(12, 4, 3), Judged(4, 1, 1)])
    assert found.precision.share == pytest.approx(0.75 * 0.75 + 0.25)
    assert found.faults["wrong-text"] == found.faults["bad-audio"] == estimate([Judged(12, 4, 1), Judged(4, 1, 0)])
    assert found.faults["wrong-speaker"].share == 0.0
    assert list(found.strata) == ["en", "vi"]
    assert (found.judged, found.drawn, found.covered, found.population, found.is_current) == (5, 16, 16, 16, True)
    assert found.corrections == 0


def test_edits_become_corrections_once(workspace: Workspace, sample: Sample, tmp_path: Path) -> None:
    said = {
        EDITED: ("wrong-text", 'said "so", he', ""),
        "talk-2-0-0000000-0000900": ("wrong-speaker", "", "Minh"),
        GOOD_TEXT: ("good", "text 0 1", ""),  # as it is already
    }
    path = write(tmp_path / "v.csv", sample, said)
    found = conclude(workspace, path, who="Lan")
    entries = {entry.recording_id: entry for entry in log(workspace.corrections)}
    assert found.corrections == len(entries) == 2
    assert (entries["talk-1"].correction.text, entries["talk-1"].who) == ('said "so", he', "Lan")
    assert (entries["talk-1"].correction.start, entries["talk-1"].correction.duration) == (1.0, 0.9)
    assert (entries["talk-2"].correction.speaker, entries["talk-2"].correction.text) == ("Minh", None)
    assert entries["talk-1"].file == f"{path} (sample {sample.id})"
    again = conclude(workspace, path, who="Lan")
    assert (again.corrections, len(log(workspace.corrections))) == (0, 2)
    assert again.precision == found.precision


def test_the_automation_level_is_of_recordings_nobody_touched_before(
    workspace: Workspace, sample: Sample, tmp_path: Path
) -> None:
    path = write(tmp_path / "v.csv", sample, {EDITED: ("wrong-text", "other", "")})
    first = conclude(workspace, path, who="Lan").automation
    assert first is not None
    assert (first.share, first.number) == (1.0, 4)
    assert first.low == pytest.approx(0.5101, abs=1e-4)  # Wilson, 4 of 4
    second = conclude(workspace, path, who="Lan").automation
    assert second == first  # judging a sample doesn't change what its dataset took
    later = draw(workspace, 5, "duration", 9)
    said = {later.segments[0].id: ("good", "", "")}
    third = conclude(workspace, write(tmp_path / "w.csv", later, said), who="Lan").automation
    assert third is not None
    assert third.share == 0.75


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", r"v.csv:1: the columns are none"),
        ("segment,verdict\n", r"v.csv:1: the columns are segment, verdict, not sample, segment"),
        ("{header}", r"v.csv: it holds no verdict"),
        ("{header}{id},{a},good,,\n{id},{b},fine,,\n", r"v.csv:3: 'fine' is no verdict; there are good, wrong-text"),
        ("{header}{id},{a},,,\n", r"v.csv:2: '' is no verdict"),
        ("{header}{id},{a},good bad-audio,,\n", r"v.csv:2: 'good bad-audio': what is good has no fault"),
        ("{header}{id},{a},good,,\n{id},{a},good,,\n", r"v.csv:3: .* has a verdict already"),
        ("{header}{id},{a},good,,\n{id},nobody,good,x,\n", r"v.csv:3: 'nobody' is no segment of the sample"),
        ("{header}{id},{a},good,,\n000000000000,{b},good,,\n", r"v.csv:3: of sample '000000000000', lines before it"),
        ("{header}{id},{a},good\n", r"v.csv:2: 3 cells, not 5"),
        ('{header}{id},{a},good,"x\n', r"v.csv:\d: not CSV"),
        ("{header},{a},good,,\n", r"v.csv:2: it doesn't say of which sample"),
        ("{header}000000000000,{a},good,,\n", r"remembers no sample 000000000000; draw one with"),
        ("{header}../../x,{a},good,,\n", r"names no sample"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_nothing_is_logged(
    workspace: Workspace, sample: Sample, tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "v.csv"
    edit = f"{sample.id},{EDITED},wrong-text,an edit,\n"
    whole = content.format(header="sample,segment,verdict,text,speaker\n", id=sample.id, a=GOOD_TEXT, b=EDITED)
    path.write_text(whole, encoding="utf-8")
    with pytest.raises(SpeechmillError, match=complaint):
        conclude(workspace, path, who="Lan")
    if content.startswith("{header}{id}"):  # nor where the lines before it are right
        path.write_text(whole.replace("speaker\n", f"speaker\n{edit}", 1), encoding="utf-8")
        with pytest.raises(SpeechmillError):
            conclude(workspace, path, who="Lan")
    assert log(workspace.corrections) == []


@pytest.mark.parametrize("between", [";", "\t", ","])
def test_what_a_spreadsheet_made_of_the_file_is_read(
    workspace: Workspace, sample: Sample, tmp_path: Path, between: str
) -> None:
    rows = [
        ("speaker", "Verdict", "segment", "text", "sample"),
        ("", "good", GOOD_TEXT, "", sample.id),
        ("",) * 5,
        ("", "wrong-text", EDITED, "an edit; with, marks", sample.id),
    ]
    with (tmp_path / "v.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=between, lineterminator="\r\n").writerows(rows)
    found = conclude(workspace, tmp_path / "v.csv", who="Lan")
    assert (found.judged, found.corrections) == (2, 1)


def test_text_that_is_not_utf8_is_refused(workspace: Workspace, sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes(b"sample,segment,verdict,text,speaker\n\xff\xfe,x\n")
    with pytest.raises(FormatError):
        conclude(workspace, tmp_path / "v.csv", who="Lan")


def test_a_sample_of_another_workspace_is_refused(workspace: Workspace, sample: Sample, tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", sample, {GOOD_TEXT: ("good", "", "")})
    (workspace.root / "samples" / f"{sample.id}.json").unlink()
    with pytest.raises(WorkspaceError, match="remembers no sample"):
        conclude(workspace, path, who="Lan")


def test_a_dataset_that_has_changed_since_is_told(workspace: Workspace, sample: Sample, tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", sample, {GOOD_TEXT: ("good", "", "")})
    index = workspace.dataset / "index.json"
    index.write_text(index.read_text().replace("bbbb", "cccc"))
    assert not conclude(workspace, path, who="Lan").is_current


def test_the_command_draws_and_concludes(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "sheet"
    drawn = CliRunner().invoke(
        cli, ["sample", str(workspace.root), "--n", "6", "--stratify", "language", "--out", str(out), "--json"]
    )
    assert drawn.exit_code == 0, drawn.output
    told = json.loads(drawn.output)
    sheet = json.loads((out / "sample.json").read_text())
    assert (told["drawn"], sheet["id"], len(sheet["segments"])) == (6, told["sample"], 6)
    assert {sheet["table"], sheet["decisions"]} == {"aaaa", "bbbb"}
    said = {one["id"]: ("good", "", "") for one in sheet["segments"]}
    sample = Sample(told["sample"], "", "", "kept", "", 0, (), ())
    verdicts = str(write(tmp_path / "v.csv", sample, said))
    arguments = ["sample", str(workspace.root), "--verdicts", verdicts]
    found = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).output)
    assert found["precision"]["share"] == 1.0
    shown = CliRunner().invoke(cli, arguments).output
    assert "without fault" in shown
    assert "6 of 6 judged; they stand for 16 of 16." in shown
    assert "automation level, of 4 recordings" in shown
