# SPDX-License-Identifier: Apache-2.0
"""The corpus file that makes a dataset again, without what is nobody's business: where things lie on this machine."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import msgspec
import yaml

from speechmill.pipeline.versions.manifest import Manifest

# Where results lie, how remote sources are asked and who runs it: none of it changes what comes out.
_LEFT_OUT = ("store", "catalog", "crawl", "orchestrate", "device", "export")
_SECRET = re.compile(r"//[^/@\s]+@")
_ABSOLUTE = re.compile(r"(/|~|[A-Za-z]:[\\/]|file://)")


def corpus_file(manifest: Manifest) -> str:
    """Return the YAML, with what `speechmill filter` changed since."""
    shown = {name: _clean(value) for name, value in manifest.corpus.items() if name not in _LEFT_OUT}
    chosen = {
        "filter": manifest.filter,
        "deduplicate": msgspec.to_builtins(manifest.deduplicate),
        "splits": msgspec.to_builtins(manifest.splits),
        "speakers": manifest.speakers,
    }
    shown |= {name: value for name, value in chosen.items() if value is not None or name in shown}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if not isinstance(value, str):
        return value
    if _ABSOLUTE.match(value):
        return f"./{PurePosixPath(value.replace(chr(92), '/')).name}"
    return _SECRET.sub("//", value)
