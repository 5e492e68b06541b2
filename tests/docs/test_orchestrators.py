# SPDX-License-Identifier: Apache-2.0
"""The page on orchestrators says of each what its module says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from speechmill.core import registry
from speechmill.orchestrators import FEATURES
from speechmill.pipeline.orchestrate_options import OrchestrateOptions

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_of_capabilities_is_that_of_the_modules():
    names = registry.names("orchestrators")
    assert names == ["airflow", "flyte", "kubeflow"]
    page = (DOCS / "orchestrators.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| ([^|]+ \| [^|]+ \| [^|]+) \|$", page, re.MULTILINE))
    told = {feature: cells.split(" | ") for feature, cells in table.items()}
    known = [registry.load("orchestrators", name).CAPABILITIES for name in names]
    assert told == {feature: ["yes" if one[feature].supported else "no" for one in known] for feature in FEATURES}


def test_every_option_of_orchestrate_is_told():
    page = (DOCS / "corpus-file.md").read_text(encoding="utf-8")
    section = page.split("## `orchestrate`")[1].split("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]+)\|", section, re.MULTILINE))))
    assert told == {field.encode_name for field in msgspec.structs.fields(OrchestrateOptions)}


def test_what_is_not_supported_says_what_to_use_instead():
    for name in registry.names("orchestrators"):
        for feature, capability in registry.load("orchestrators", name).CAPABILITIES.items():
            assert len(capability.how) > 20, f"{name}: {feature}"
