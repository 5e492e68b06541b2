# SPDX-License-Identifier: Apache-2.0
"""Cards as files: beside the dataset, and in each of its exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from speechmill.core.files import write_bytes
from speechmill.core.types import SPLITS
from speechmill.exporters import Written
from speechmill.pipeline.card import croissant
from speechmill.pipeline.card.facts import Facts, facts_of
from speechmill.pipeline.card.readme import readme
from speechmill.pipeline.versions.shelf import Version
from speechmill.store.workspace import Workspace

README, CROISSANT = "README.md", "croissant.json"


def is_written(workspace: Workspace, version: Version) -> bool:
    """Tell whether dataset/ has the card of this version; README.md is written last."""
    try:
        return _named(version) in (workspace.dataset / README).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def _named(version: Version) -> str:
    return f"Version {version.manifest.number} (`{version.manifest.fingerprint}`)"


def write_dataset_card(workspace: Workspace, version: Version) -> None:
    """Write dataset/README.md and dataset/croissant.json. version: of the dataset that is there."""
    facts = facts_of(workspace, version)
    schemas = [pq.read_schema(workspace.dataset / f"{name}.parquet") for name in ("segments", "recordings")]
    described = croissant.as_json(croissant.of_dataset(facts, *schemas))
    write_bytes(workspace.dataset / CROISSANT, described.encode())
    write_bytes(workspace.dataset / README, readme(facts, usage=_USAGE, dated=True).encode())


def write_export_card(folder: Path, facts: Facts, shards: Sequence[Written], usage: str, checksums: str) -> None:
    """Write README.md into an export, and croissant.json where its shards are Parquet.

    shards: all of them; their files are below `folder`. usage: the format's USAGE. checksums: name of their file.
    """
    patterns = _parquet(folder, shards)
    configs = [
        {
            "config_name": "default",
            "data_files": [{"split": split, "path": pattern} for split, pattern in patterns.items()],
        }
    ]
    text = readme(facts, usage=usage, checksums=checksums, configs=configs if patterns else None)
    write_bytes(folder / README, text.encode(), durable=False)
    if patterns:
        schema = pq.read_schema(next(folder.glob(next(iter(patterns.values())))))
        described = croissant.as_json(croissant.of_parquet_export(facts, schema, patterns))
        write_bytes(folder / CROISSANT, described.encode(), durable=False)


def _files(shards: Sequence[Written]) -> list[str]:
    return [file for shard in shards for file in shard.files if file.endswith(".parquet")]


def _parquet(folder: Path, shards: Sequence[Written]) -> dict[str, str]:
    """Return for each split the pattern of its Parquet files: data/train-*.parquet."""
    if not shards:  # an exporter may write a file without rows then, for readers that refuse a split without files
        found = sorted(path.relative_to(folder).parent.as_posix() for path in folder.rglob("*.parquet"))
        return {"train": f"{found[0]}/train-*.parquet"} if found else {}
    patterns = {}
    for split in SPLITS:
        files = _files([shard for shard in shards if shard.split == split])
        if files:
            below = files[0].rpartition("/")[0]
            patterns[split] = f"{below}/{split}-*.parquet" if below else f"{split}-*.parquet"
    return patterns


_USAGE = """\
import speechmill

for segment in speechmill.open("WORKSPACE").segments():
    print(segment.id, segment.split, segment.text)
"""
