# SPDX-License-Identifier: Apache-2.0
"""Tables beside the metrics: what a score follows from is in its fingerprint."""

from __future__ import annotations

import pytest

from speechmill.core import registry
from speechmill.quality import _tables

READ = {"music": ("music.toml",), "transcript": ("trust.toml", "phrases.toml"), "hallucination": ("phrases.toml",)}


def test_a_table_is_read_by_its_name():
    assert _tables.read("music.toml")["weights"].keys() == {"swell", "flux", "quiet", "steadiness", "balance"}


@pytest.mark.parametrize(("metric", "name"), [(metric, name) for metric, names in READ.items() for name in names])
def test_a_metric_is_known_by_what_it_reads(metric, name, monkeypatch):
    module = registry.load("quality", metric)
    before, text = module.model_digest(module.Config()), _tables._text
    assert module.model_digest(module.Config()) == before
    monkeypatch.setattr(_tables, "_text", lambda asked: text(asked) + ("# more\n" if asked == name else ""))
    assert module.model_digest(module.Config()) != before


def test_metrics_without_tables_have_no_such_digest():
    tables = {name for name in registry.names("quality") if hasattr(registry.load("quality", name), "_tables")}
    assert tables == set(READ)
