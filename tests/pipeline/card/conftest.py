# SPDX-License-Identifier: Apache-2.0
"""One small real run with rights, speakers, languages, rules and an export, for all that cards say."""

from __future__ import annotations

import pytest

from speechmill import api
from speechmill.pipeline.card import facts_of
from speechmill.pipeline.versions import Shelf
from speechmill.store.workspace import Workspace

TABLE = """\
path\tlanguage\tspeaker\tnum_speakers\tlicence\tattribution
a.wav\ten\tJo\t1\tCC BY 4.0\tÁnh & Co. <b>| CC</b> ```
b.wav\tvi-VN\t\t\t\t
c.wav\ten\tJo\t1\tHouse rules\tHouse
"""
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": ["num_chars >= 3", "duration >= 2.2"],
    "export": ["huggingface", "rttm"],
}


@pytest.fixture(scope="package")
def out(tmp_path_factory, make_tone):
    root = tmp_path_factory.mktemp("card")
    folder = root / "audio"
    folder.mkdir()
    for i, (name, text) in enumerate({"a": "one secret", "b": "two", "c": "three"}.items()):
        make_tone(folder / f"{name}.wav", 2.0 + 0.25 * (i + 1), 150.0 + 20.0 * i)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "recordings.tsv").write_text(TABLE, encoding="utf-8")
    api.run(folder, root / "out", settings=SETTINGS, workers=1)
    return root / "out"


@pytest.fixture(scope="package")
def facts(out):
    workspace = Workspace.open(out)
    return facts_of(workspace, Shelf(workspace).newest())
