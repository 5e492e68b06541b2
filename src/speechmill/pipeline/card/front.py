# SPDX-License-Identifier: Apache-2.0
"""The front matter of a card: YAML that the Hugging Face Hub reads."""

from __future__ import annotations

import re
from typing import Any

import yaml

from speechmill.pipeline.card.facts import Facts

# The Hub's licence identifiers that recordings of speech come under; anything else is "other" there.
HUB_LICENCES = frozenset(
    {
        *("cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "pddl", "odc-by", "odbl", "mit", "apache-2.0"),
    }
)
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def front_matter(facts: Facts, configs: list[dict[str, Any]] | None = None) -> str:
    """Return the front matter with its lines of dashes. configs: what `datasets` opens, where it can."""
    counts = facts.manifest.counts
    languages = sorted({language.split("-")[0] for language in counts.languages if language})
    found: dict[str, Any] = {
        "pretty_name": facts.name,
        **({"language": languages} if languages else {}),
        **_licence({one.licence for one in facts.licences}),
        "task_categories": ["automatic-speech-recognition", "text-to-speech"],
        "size_categories": [next((name for limit, name in SIZES if counts.kept < limit), "n>10M")],
        "tags": ["speech", "audio", "speechmill"],
        **({"configs": configs} if configs else {}),
    }
    return f"---\n{yaml.safe_dump(found, sort_keys=False, allow_unicode=True)}---\n"


def _licence(named: set[str | None]) -> dict[str, Any]:
    """Return the licence as the Hub knows it; several are a list, a foreign one is "other" with its name."""
    hub = {hub_licence(licence) for licence in named}
    if not hub:
        return {}
    licence: Any = hub.pop() if len(hub) == 1 else sorted(hub)
    if licence != "other":
        return {"license": licence}
    # The Hub wants a name of this kind; ATTRIBUTION.tsv has it as it was given.
    names = sorted(re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") for name in named if name)
    return {"license": "other", "license_name": "-and-".join(names)}


def hub_licence(licence: str | None) -> str:
    """Return the Hub's identifier of a licence.

    >>> hub_licence("CC BY 4.0"), hub_licence("ask me"), hub_licence(None)
    ('cc-by-4.0', 'other', 'unknown')
    """
    if licence is None:
        return "unknown"
    address = re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", licence.lower())
    identifier = f"cc-{address[1]}-{address[2]}" if address else "-".join(licence.lower().split())
    return identifier if identifier in HUB_LICENCES else "other"
