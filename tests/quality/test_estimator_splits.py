# SPDX-License-Identifier: Apache-2.0
"""What trained the estimator is not what it is tested on."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPLITS = tomllib.loads((ROOT / "training" / "quality_est_splits.toml").read_text(encoding="utf-8"))


def test_there_are_three_splits_of_251_speakers():
    assert {name: len(split["speakers"]) for name, split in SPLITS.items()} == {
        "train": 171,
        "validation": 40,
        "test": 40,
    }


@pytest.mark.parametrize("kind", ["speakers", "noise", "processing", "rooms"])
def test_nothing_is_in_two_splits(kind):
    for one, other in combinations(SPLITS, 2):
        assert SPLITS[one][kind]
        assert set(SPLITS[one][kind]) & set(SPLITS[other][kind]) == set(), (one, other)


def test_every_kind_of_damage_is_made_by_a_function():
    text = (ROOT / "training" / "damage.py").read_text(encoding="utf-8")
    named = {name for split in SPLITS.values() for name in (*split["noise"], *split["processing"])}
    assert len(named) == 34
    assert [name for name in named if f"def {name}(rng: Rng, " not in text] == []
