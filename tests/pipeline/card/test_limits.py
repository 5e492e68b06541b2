# SPDX-License-Identifier: Apache-2.0
"""A limit is told where it is one, and nowhere else."""

import pytest
from msgspec import structs

from speechmill.core.types import SPLITS
from speechmill.pipeline.card.limits import limits
from speechmill.pipeline.dataset_options import Deduplicate
from speechmill.pipeline.versions.manifest import Step, Tally, Used

pytestmark = pytest.mark.slow


def told(facts, word):
    return [one for one in limits(facts) if word in one]


def with_counts(facts, **changes):
    manifest = facts.manifest
    return structs.replace(
        facts, manifest=structs.replace(manifest, counts=structs.replace(manifest.counts, **changes))
    )


def test_what_a_run_on_tones_lacks(facts):
    assert told(facts, "no times of words") == ["100 % of the segments have a text, but no times of words."]
    assert told(facts, "nobody knows who") == ["Of 33 % of the hours nobody knows who speaks."]
    assert told(facts, "one split")
    assert told(facts, "no licence is stated")
    assert told(facts, "there twice")
    assert not told(facts, "recogniser")
    assert not told(facts, "language")
    assert not told(facts, "doubts")


def test_texts_of_a_recogniser(facts):
    heard = Step("transcribe", "x", used=(Used("asr", "pocketsphinx", "1"),))
    manifest = structs.replace(facts.manifest, steps=(heard,))
    hours = facts.manifest.counts.kept_hours
    changed = structs.replace(facts, manifest=manifest, texts={"pocketsphinx": hours / 2}, corrected=2)
    assert told(changed, "recogniser") == [
        "50 % of the hours have texts of a recogniser (pocketsphinx) that nobody read; "
        "people corrected 2 of 3 segments."
    ]


def test_three_splits_and_a_search_for_duplicates_are_no_limit(facts):
    changed = with_counts(facts, splits=dict.fromkeys(SPLITS, Tally(1, 0.1)))
    named = structs.replace(changed.speakers, unknown_hours=0.0, local=0)
    searched = structs.replace(changed.manifest, deduplicate=Deduplicate())
    changed = structs.replace(changed, speakers=named, manifest=searched)
    assert not told(changed, "split")
    assert not told(changed, "twice")
    assert not told(changed, "who speaks")


def test_speakers_of_one_recording_only(facts):
    changed = structs.replace(facts, speakers=structs.replace(facts.speakers, local=3))
    assert told(changed, "3 of 4 speakers were told apart inside one recording only")


def test_an_empty_dataset_says_that_alone(facts):
    assert limits(with_counts(facts, kept=0)) == ["Nothing is kept: the rules above drop every segment."]
