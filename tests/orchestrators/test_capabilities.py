# SPDX-License-Identifier: Apache-2.0
"""What orchestrators can do, and what is refused: the same for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core import registry
from speechmill.core.errors import Unsupported
from speechmill.orchestrators import FEATURES, Capability, asked, check
from speechmill.pipeline import spec

NAMES = registry.names("orchestrators")
ASKING = {
    "schedule": {"schedules": {"label": "@daily"}},
    "sensor": {"wait_for": "/data/ready"},
    "backfill": {"catchup": True},
    "deadline": {"deadline_h": {"label": 2}},
    "callback": {"webhook": "alerts"},
    "gpu": {"gpu": True},
}


def corpus_of(**options):
    return spec.resolve({"sources": [{"local": {"path": "audio"}}], "orchestrate": options}, Path("/nowhere"))


@pytest.mark.parametrize("name", NAMES)
def test_each_orchestrator_says_of_each_feature_how_or_what_instead(name):
    capabilities = registry.load("orchestrators", name).CAPABILITIES
    assert set(capabilities) == set(FEATURES)
    assert all(one.how.strip() for one in capabilities.values())


def test_a_corpus_that_asks_for_nothing_is_never_refused():
    assert asked(corpus_of()) == set()
    check("none", dict.fromkeys(FEATURES, Capability(False, "nothing")), corpus_of())


@pytest.mark.parametrize("feature", ASKING)
def test_what_is_asked_for_and_is_not_there_is_refused_with_what_to_use_instead(feature):
    corpus = corpus_of(**ASKING[feature])
    assert asked(corpus) == {feature}
    able = dict.fromkeys(FEATURES, Capability(True, "by itself"))
    check("other", able, corpus)
    with pytest.raises(Unsupported, match=f"other: {feature}: use Airflow"):
        check("other", {**able, feature: Capability(False, "use Airflow")}, corpus)
