# SPDX-License-Identifier: Apache-2.0
"""Compiled loops: where numba is missing, where nothing can be kept, and what is said of it."""

import subprocess
import sys

import numba
import pytest

from speechmill.acoustic import compiled as loops
from speechmill.acoustic.compiled import compiled


def double(x):
    return 2.0 * x


@pytest.fixture(autouse=True)
def nobody_was_told():
    loops._tell.cache_clear()


def test_who_waits_is_told_once(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compiled("f8(f8)", double)(2.5) == 5.0
    compiled("f4(f4)", double)
    assert capsys.readouterr().err.count("compiling") == 1


def test_what_is_kept_is_not_compiled_again(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compiled("f8(f8)", double)
    capsys.readouterr()
    loops._tell.cache_clear()
    assert compiled("f8(f8)", double)(2.5) == 5.0
    assert capsys.readouterr().err == ""


def test_where_nothing_can_be_kept_loops_are_compiled_anyway():
    space = {}
    exec("def triple(x): return 3.0 * x", space)  # it has no file, so numba finds no place to keep it
    assert compiled("f8(f8)", space["triple"])(2.0) == 6.0


@pytest.mark.parametrize("module", ["long", "_long_search", "aligner", "train", "adapt", "model"])
def test_without_numba_it_is_said_what_to_install(module):
    script = f"import sys; sys.modules['numba'] = None; import speechmill.acoustic.{module}"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "MissingDependency: acoustic models need numba: pip install 'speechmill[align]'" in found.stderr
