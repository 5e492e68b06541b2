# SPDX-License-Identifier: Apache-2.0
"""Nothing that a workspace or a model holds is ever run."""

from __future__ import annotations

import ast
import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import speechmill
from speechmill.acoustic import model as acoustic
from speechmill.core.errors import FormatError
from speechmill.g2p import _joint_model
from speechmill.models.tensors import read_torch

SOURCE = Path(speechmill.__file__).parent
RESTRICTED = "models/tensors.py"  # an Unpickler whose find_class refuses all but names of tensors
MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}


def loads(tree: ast.AST) -> Iterator[str]:
    """What code names that runs, or may run, what is in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {one.name}" for one in node.names if one.name.split(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"from {node.module} import"
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
            if called.endswith("yaml.load") or called in ("yaml.unsafe_load", "yaml.full_load"):
                yield called
            if called == "yaml.compose" and given.get("Loader") != "yaml.SafeLoader":
                yield called
            if called == "torch.load" and given.get("weights_only") != "True":
                yield called
            if given.get("allow_pickle", "False") != "False":
                yield f"{called}(allow_pickle=...)"
            if called in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
                yield called
            if called in ("eval", "exec", "np.fromregex", "read_pickle"):
                yield called


def test_no_source_file_loads_a_pickle() -> None:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 300
    found = {
        path.relative_to(SOURCE).as_posix(): list(loads(ast.parse(path.read_text(encoding="utf-8")))) for path in files
    }
    assert {name: calls for name, calls in found.items() if calls} == {RESTRICTED: ["import pickle"]}


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from joblib import load", "np.load(p)", "np.load(p, allow_pickle=True)", "torch.load(p)"),
        *("yaml.load(t)", "yaml.compose(t, Loader=yaml.Loader)", "torch.load(p, weights_only=False)", "eval(t)"),
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert list(loads(ast.parse(code)))


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._target,)


def npy(target: Path) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([Evil(target)], dtype=object), allow_pickle=True)
    return content.getvalue()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_the_pickle_that_the_tests_use_does_run(tmp_path: Path) -> None:
    np.load(io.BytesIO(npy(tmp_path / "ran")), allow_pickle=True)
    assert (tmp_path / "ran").exists()


def test_an_acoustic_model_with_a_pickle_is_refused(tmp_path: Path) -> None:
    head = b'{"format": "x"}'
    path = archive(tmp_path / "model.zip", {"card.json": head, "first.npy": npy(tmp_path / "ran")})
    with pytest.raises(FormatError, match=r"model\.zip: not an acoustic model"):
        acoustic.load(path)
    with pytest.raises(ValueError, match="an array of objects"):
        acoustic._parsed(npy(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


def test_a_g2p_model_with_a_pickle_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "g2p.npz", {"header.npy": npy(tmp_path / "ran")})
    with pytest.raises(FormatError, match=r"g2p\.npz: not a G2P model"):
        _joint_model.load(path)
    assert not (tmp_path / "ran").exists()


def test_weights_with_a_pickle_that_asks_for_more_than_tensors_are_refused(tmp_path: Path) -> None:
    evil = pickle.dumps(Evil(tmp_path / "ran"))
    (tmp_path / "bare.pt").write_bytes(evil)
    whole = archive(tmp_path / "zip.pt", {"archive/data.pkl": evil, "archive/version": b"3"})
    for path in (tmp_path / "bare.pt", whole):
        with pytest.raises(FormatError, match=rf"{path.name}: "):
            read_torch(path)
    assert not (tmp_path / "ran").exists()
