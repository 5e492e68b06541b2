# SPDX-License-Identifier: Apache-2.0
"""Licences by name: what may be used freely, and what may not."""

from __future__ import annotations

import pytest

from speechmill.sources._tables import licence_state


@pytest.mark.parametrize(
    ("licence", "state"),
    [
        ("CC BY", "cc-by"),
        ("cc-by-4.0", "cc-by"),
        ("CC BY-SA 3.0", "cc-by"),
        ("Creative Commons Attribution 4.0", "cc-by"),
        ("https://creativecommons.org/licenses/by/4.0/", "cc-by"),
        ("CC BY-NC 4.0", "standard"),
        ("CC BY-ND", "standard"),
        ("Creative Commons Attribution-NonCommercial", "standard"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "standard"),
        ("CC0", "public-domain"),
        ("CC0-1.0", "public-domain"),
        ("Public Domain", "public-domain"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "public-domain"),
        ("MIT", "standard"),
        ("all rights reserved", "standard"),
        (None, "unstated"),
    ],
)
def test_licences_are_sorted_by_what_they_allow(licence, state):
    assert licence_state(licence) == state
