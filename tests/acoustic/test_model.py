# SPDX-License-Identifier: Apache-2.0
"""A model's file: back as it was, and refused where it was tampered with."""

import contextlib
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


def shaped(shape):
    """Make an array that says it is larger than it is."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(64)


HOSTILE = {
    "an array of 373 GB in 64 bytes": ("means.npy", shaped("(99999999999,)"), "reshape"),
    "a header that never closes": ("means.npy", shaped("((((").replace(b", }", b"   "), "model"),
    "another version of arrays": ("means.npy", b"\x93NUMPY\x03\x00" + bytes(64), "npy 1.0"),
    "trees whose branches meet": ("nodes.npy", array(np.array([[0, 0, 1, 1], [-1, 0, 0, 0]], np.int32)), "nodes"),
    "an object, which would be unpickled": ("means.npy", array(np.array([{"a": 1}], dtype=object)), "unpickled"),
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


CARDS = {
    "no hop": (b'"hop_ms": 5.0', b'"hop_ms": 0.0', "hop_ms: 0 is not between 1 and 50"),
    "a billion filters": (b'"num_filters": 26', b'"num_filters": 1000000000', "num_filters"),
    "a pause more likely than certain": (b'"pause": -', b'"pause": 9', "pause"),
    "a word heard less than never": (b'"count": ', b'"count": -', "said: 'abi'"),
    "a text for a number": (b'"hours": ', b'"hours": "many", "x": ', "hours"),
}


@pytest.mark.parametrize("what", CARDS)
def test_a_card_that_nothing_can_be_done_with_is_refused(model, tmp_path, what):
    old, new, message = CARDS[what]
    save(model, tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        card = archive.read("card.json")
    assert old in card
    with pytest.raises(FormatError, match=message):
        load(tampered(model, tmp_path / "model.npz", "card.json", card.replace(old, new)))


GAUSSIANS = {
    "means": (1e30, "means must lie within"),
    "variances": (1e-40, "variances must lie between"),
    "weights": (2.0, "weights must be"),
}


@pytest.mark.parametrize("name", GAUSSIANS)
def test_gaussians_that_give_no_number_are_refused(model, tmp_path, name):
    value, message = GAUSSIANS[name]
    values = getattr(model.mixtures, name).astype(np.float32)
    values.flat[0] = value
    with pytest.raises(FormatError, match=message):
        load(tampered(model, tmp_path / "model.npz", f"{name}.npy", array(values)))


def test_damage_anywhere_is_refused_or_does_no_harm(model, tmp_path):
    save(model, tmp_path / "model.npz")
    whole, random = (tmp_path / "model.npz").read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(256)
        (tmp_path / "model.npz").write_bytes(bytes(damaged))
        with contextlib.suppress(FormatError):
            assert load(tmp_path / "model.npz").mixtures.num_states == model.mixtures.num_states


def test_a_model_cut_short_is_refused(model, tmp_path):
    save(model, tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "model.npz").write_bytes(whole[:end])
        with pytest.raises(FormatError, match="not an acoustic model"):
            load(tmp_path / "model.npz")
