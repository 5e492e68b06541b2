# SPDX-License-Identifier: Apache-2.0
"""What of `crawl:` can't be meant is said before anything is asked."""

from __future__ import annotations

import pytest

from speechmill.core.errors import ConfigError
from speechmill.pipeline.crawl_options import Cookies, CrawlOptions, Egress, check


def test_the_defaults_are_fine():
    check(CrawlOptions())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"budgets": {"yotube": 10}}, "budgets: no platform 'yotube'; did you mean 'youtube'?"),
        ({"proxies_off": ("podcasts",)}, "proxies_off: no platform 'podcasts'; did you mean 'podcast'?"),
        ({"cookies": {"xyz": Cookies(file="jar.txt")}}, "cookies: no platform 'xyz'; there are: http"),
        ({"api_key_env": {"you_tube": "KEY"}}, "api_key_env: no platform 'you_tube'"),
        ({"budgets": {"youtube": -1}}, "budgets.youtube: -1 is less than 0"),
        ({"spacing_s": -0.5}, "spacing_s: -0.5 is less than 0"),
        ({"threads": 0}, "threads: 0 is less than 1"),
        ({"max_bytes": 0}, "max_bytes: 0 is less than 1"),
        ({"max_failures": 0}, "max_failures: 0 is less than 1"),
        (
            {"egress": (Egress("direct", max_items_per_hour=-1),)},
            "egress direct: max_items_per_hour: -1 is less than 0",
        ),
    ],
)
def test_what_can_not_be_meant_is_said(fields, said):
    with pytest.raises(ConfigError) as error:
        check(CrawlOptions(**fields))
    assert said in str(error.value)


def test_a_budget_may_be_nothing_or_without_limit():
    check(CrawlOptions(budgets={"youtube": 0, "podcast": None}))
