# SPDX-License-Identifier: Apache-2.0
"""What every exporter keeps to, ours and third parties'."""

from __future__ import annotations

import hashlib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from speechmill.core import registry
from speechmill.core.stage import Context
from speechmill.store.dataset import Dataset

WORKSPACE = runpy.run_path(str(Path(__file__).parents[1] / "exporters" / "conftest.py"))
HEAVY = ("torch", "datasets", "lhotse", "pandas", "av", "onnxruntime")

every_exporter = pytest.mark.parametrize("name", registry.names("exporters"))


def no_models(name: str) -> Path:
    raise AssertionError(f"an exporter asked for the model {name}")


def digests(folder: Path) -> dict[str, str]:
    """Path inside the folder -> SHA-256, for every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def export(name: str, dataset: Dataset, folder: Path) -> int:
    folder.mkdir(parents=True)
    module: Any = registry.require("exporters", name)
    context = Context(workspace=dataset.root, model_path=no_models)
    return module.Backend(module.Config(), context).export(dataset, folder)


def test_the_five_formats_are_there() -> None:
    assert {"huggingface", "lhotse", "nemo", "rttm", "textgrid"} <= set(registry.names("exporters"))


@every_exporter
def test_a_module_has_the_shape_of_a_backend(name: str) -> None:
    module: Any = registry.load("exporters", name)
    assert isinstance(module.VERSION, str)
    assert isinstance(module.REQUIRES, tuple)
    assert module.Config.__struct_config__.frozen
    with pytest.raises(msgspec.ValidationError, match="unknown field `nonsense`"):
        msgspec.convert({"nonsense": 1}, module.Config)


@every_exporter
def test_importing_it_imports_nothing_heavy(name: str) -> None:
    code = f"import sys, speechmill.exporters.{name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@every_exporter
def test_it_counts_the_kept_segments_and_leaves_the_workspace_alone(name: str, tmp_path: Path) -> None:
    dataset = WORKSPACE["make_workspace"](tmp_path / "workspace")
    before = digests(dataset.root)
    assert export(name, dataset, tmp_path / "export") == 3
    assert digests(dataset.root) == before


@every_exporter
def test_the_same_dataset_elsewhere_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    found = []
    for place in ("here", "somewhere/else"):
        dataset = WORKSPACE["make_workspace"](tmp_path / place / "workspace")
        export(name, dataset, tmp_path / place / "export")
        found.append(digests(tmp_path / place / "export"))
    assert found[0] == found[1]


@every_exporter
def test_nothing_kept_is_a_valid_export_of_nothing(name: str, tmp_path: Path) -> None:
    dataset = WORKSPACE["make_workspace"](tmp_path / "workspace", WORKSPACE["all_dropped"]())
    assert export(name, dataset, tmp_path / "export") == 0
    assert (tmp_path / "export" / "ATTRIBUTION.tsv").read_text(encoding="utf-8").count("\n") == 1


@every_exporter
def test_licence_and_attribution_travel_and_local_paths_do_not(name: str, tmp_path: Path) -> None:
    export(name, WORKSPACE["make_workspace"](tmp_path / "workspace"), tmp_path / "export")
    table = (tmp_path / "export" / "ATTRIBUTION.tsv").read_text(encoding="utf-8")
    assert table.split("\n")[1].split("\t")[:4] == ["talk-1a2b3c", "CC BY 4.0", "cc-by", WORKSPACE["ATTRIBUTION"]]
    assert b"somebody" not in b"".join(path.read_bytes() for path in (tmp_path / "export").rglob("*") if path.is_file())


@every_exporter
def test_no_temporary_file_is_left(name: str, tmp_path: Path) -> None:
    export(name, WORKSPACE["make_workspace"](tmp_path / "workspace"), tmp_path / "export")
    assert [path for path in digests(tmp_path / "export") if ".tmp-" in path] == []
