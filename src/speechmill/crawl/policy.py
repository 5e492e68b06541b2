# SPDX-License-Identifier: Apache-2.0
"""What may be fetched: filters and licences, decided before a request is spent where a listing says enough."""

from __future__ import annotations

from speechmill.core.remote import Decision, Description, Ref, Wanted


def listed(wanted: Wanted, ref: Ref) -> Decision:
    """Decide from a listing's hints; "accept" means only that it is worth a visit."""
    raise NotImplementedError


def decide(wanted: Wanted, description: Description, language: str | None = None) -> Decision:
    """Decide from what the platform says; filters first ("skip"), then the licence ("hold").

    language: of the corpus, where `wanted.languages` names none: an item stated to be in another one is skipped.
    """
    raise NotImplementedError
