# SPDX-License-Identifier: Apache-2.0
"""A model's file: back as it was, and refused where it was tampered with."""

import io
import zipfile

import numpy as np
import pytest

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.model import load, save
from speechmill.acoustic.train import Options, train
from speechmill.core.errors import FormatError


@pytest.fixture(scope="module")
def model(band_examples, band_lexicon):
    return train(band_examples[:12], band_lexicon, Options(name="bands", language="xx"), threads=1)


def test_what_is_saved_comes_back(model, band_lexicon, spoken, tmp_path):
    save(model, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.card == model.card
    assert again.digest == model.digest
    samples, _ = spoken(["sad", "ba"], 50)
    ways = ((("sad",),), (("ba",),))
    assert Aligner(again, band_lexicon).align(samples, ways) == Aligner(model, band_lexicon).align(samples, ways)


def test_equal_models_are_equal_files(model, tmp_path):
    save(model, tmp_path / "a.npz")
    save(load(tmp_path / "a.npz"), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def tampered(model, path, name, content):
    save(model, path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    if content is None:
        del members[name]
    else:
        members[name] = content
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def array(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


HOSTILE = {
    "an object, which would be unpickled": ("means.npy", array(np.array([{"a": 1}], dtype=object)), "pickle"),
    "another shape": ("means.npy", array(np.zeros((3, 3), np.float32)), "means"),
    "another type": ("stay.npy", array(np.zeros(3, np.float32)), "stay"),
    "a missing array": ("weights.npy", None, "weights"),
    "trees that never end": ("nodes.npy", array(np.zeros((30, 4), np.int32)), "nodes"),
    "no card": ("card.json", None, "card.json"),
    "a card that is none": ("card.json", b'{"format": 1}', "card"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused(model, tmp_path, what):
    name, content, message = HOSTILE[what]
    with pytest.raises(FormatError, match=message):
        load(tampered(model, tmp_path / "model.npz", name, content))


def test_a_value_that_is_no_number_is_refused(model, tmp_path):
    means = model.mixtures.means.astype(np.float32)
    means[0, 0] = np.nan
    with pytest.raises(FormatError, match="means: not finite"):
        load(tampered(model, tmp_path / "model.npz", "means.npy", array(means)))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("no model")
    with pytest.raises(FormatError, match="not an acoustic model"):
        load(tmp_path / "text")
    with pytest.raises(FormatError, match="no such file"):
        load(tmp_path / "absent")
