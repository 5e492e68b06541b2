# SPDX-License-Identifier: Apache-2.0
"""What a stage uses: backends with their options, and models with their digests and licences.

It stands in the plan, as it was when the plan was made: a folder of weights may hold others tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from speechmill import models
from speechmill.core.registry import Choice


class UsedModel(Struct, frozen=True):
    """Weights or tables behind a backend."""

    name: str  # of its card, or what the options name
    digest: str  # what is in the fingerprint: a hash, or `owner/name@commit`
    title: str = ""
    licence: str = ""  # SPDX; empty: no card says so
    source: str = ""  # what pip is asked for


class Used(Struct, frozen=True):
    """A backend of a stage."""

    family: str
    backend: str
    version: str
    options: dict[str, Any] = {}  # those that differ from their defaults
    when: str | None = None
    models: tuple[UsedModel, ...] = ()


def used_by(choice: Choice, options: Mapping[str, Any]) -> Used:
    """Say what a choice uses. options: its non-default ones."""
    module = choice.module
    found = [_of_card(name) for name in getattr(module, "MODELS", ())]
    digest = module.model_digest(choice.config) if hasattr(module, "model_digest") else None
    if digest:
        found.append(UsedModel(str(getattr(choice.config, "model", None) or choice.backend), str(digest)))
    counted = {name: value for name, value in options.items() if name not in getattr(module, "NOT_IDENTITY", ())}
    return Used(choice.family, choice.backend, str(module.VERSION), counted, choice.when, tuple(found))


def _of_card(name: str) -> UsedModel:
    card = models.card(name)
    return UsedModel(card.name, card.digest, card.title, card.licence, card.requirement)
