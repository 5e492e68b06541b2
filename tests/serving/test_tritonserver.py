# SPDX-License-Identifier: Apache-2.0
"""Which server is started, and what is said where there is none."""

import pytest

from speechmill.core.errors import MissingDependency, ServerUnavailable
from speechmill.serving import tritonserver


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    """A folder without an environment, nothing on PATH, nothing named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("SPEECHMILL_TRITON", raising=False)


def program(path, text="#!/bin/sh\nexit 3\n"):
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def wheel(folder):
    return program(folder / "lib/python3.11/site-packages/pytriton/tritonserver/bin/tritonserver")


def test_without_a_server_the_error_says_how_to_get_one():
    with pytest.raises(MissingDependency, match=r"no Triton server at \.venv-triton nor on PATH.*make setup-triton"):
        tritonserver.find()


def test_what_is_named_comes_first_then_the_path_then_the_environment_here(tmp_path, monkeypatch):
    here = wheel(tmp_path / ".venv-triton")
    found = tritonserver.find()
    assert (found.binary, found.environment, found.python) == (here, tmp_path / ".venv-triton", "3.11")
    on_path = program(tmp_path / "bin" / "tritonserver")
    assert tritonserver.find() == tritonserver.Program(on_path)
    monkeypatch.setenv("SPEECHMILL_TRITON", str(program(tmp_path / "opt" / "tritonserver")))
    assert tritonserver.find().binary == tmp_path / "opt" / "tritonserver"
    assert tritonserver.find(tmp_path / ".venv-triton").binary == here


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path):
    broken = program(tmp_path / "opt" / "tritonserver", "#!/bin/sh\necho no such model\nexit 3\n")
    with (
        pytest.raises(ServerUnavailable, match=r"ended with status 3:\nno such model"),
        tritonserver.running(tmp_path, program=tritonserver.Program(broken), port=1, log=tmp_path / "log"),
    ):
        pass


def test_an_environment_of_an_unknown_python_is_told(tmp_path):
    found = tritonserver.Program(wheel(tmp_path / "env"), tmp_path / "env")
    with (
        pytest.raises(MissingDependency, match=r"its server knows no Python 3\.11"),
        tritonserver.running(tmp_path, program=found, log=tmp_path / "log"),
    ):
        pass
