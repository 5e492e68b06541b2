# SPDX-License-Identifier: Apache-2.0
"""mlcroissant accepts croissant.json, and reads the records by it."""

import json
import warnings

import pytest

# What mlcroissant and the libraries below it warn of is theirs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def mlcroissant():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports' own
        return pytest.importorskip("mlcroissant")


def opened(mlcroissant, path):
    """Return a dataset that has no errors."""
    dataset = mlcroissant.Dataset(jsonld=path)
    assert not dataset.metadata.ctx.issues.errors
    return dataset


def test_the_dataset_is_described_and_read(mlcroissant, out):
    dataset = opened(mlcroissant, out / "dataset" / "croissant.json")
    rows = list(dataset.records("segments"))
    assert [row["segments/text"] for row in rows] == [b"one secret", b"two", b"three"]
    assert [row["segments/split"] for row in rows] == [b"train"] * 3
    assert {row["recordings/language"] for row in dataset.records("recordings")} == {b"en", b"vi-vn"}
    assert "segments/scores/snr_db" in rows[0]


def test_an_export_is_described_and_read_with_its_audio(mlcroissant, out):
    dataset = opened(mlcroissant, out / "exports" / "huggingface" / "croissant.json")
    rows = list(dataset.records("train"))
    assert [row["train/text"] for row in rows] == [b"one secret", b"two", b"three"]
    assert rows[0]["train/audio"]["bytes"].startswith(b"fLaC")


def test_licences_are_addresses_where_they_have_one(out):
    found = json.loads((out / "dataset" / "croissant.json").read_text(encoding="utf-8"))
    assert found["license"] == ["House rules", "https://creativecommons.org/licenses/by/4.0/"]
    assert found["inLanguage"] == ["en", "vi-vn"]
