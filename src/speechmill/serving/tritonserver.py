# SPDX-License-Identifier: Apache-2.0
"""Find a Triton server on this machine, and run it on a repository.

Either NVIDIA's own `tritonserver`, as in its container, or the one in the wheel `nvidia-pytriton`: a whole server with
the python backend alone, in a virtual environment of its own (it wants numpy 1). The wheel's python backend has a
program for each version of Python, and looks for it beside itself; so it gets a folder of links with the right one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import MissingDependency, ServerUnavailable
from speechmill.models.kserve import Connection, message

VARIABLE = "SPEECHMILL_TRITON"
BESIDE = Path(".venv-triton")  # where `make setup-triton` puts it
START_S = 120.0
STOP_S = 30.0


class Program(Struct, frozen=True):
    """A server's program, and what it needs around it."""

    binary: Path
    environment: Path | None = None  # a virtual environment with nvidia-pytriton and onnxruntime

    @property
    def site_packages(self) -> Path:
        return self.binary.parents[3]

    @property
    def python(self) -> str:
        """Version of the environment's Python, such as 3.11."""
        return self.site_packages.parent.name.removeprefix("python")


def find(given: Path | None = None) -> Program:
    """Return the server to start: what is given, SPEECHMILL_TRITON, on PATH, or in `.venv-triton` here.

    given: the program, or a virtual environment with nvidia-pytriton. Raises MissingDependency.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None and (found := shutil.which("tritonserver")):
        return Program(Path(found))
    place = named or BESIDE
    if place.is_file():
        return Program(place.resolve())
    # Not resolved: an environment's Python knows by its own path which environment it is.
    for binary in place.absolute().glob("lib/python3.*/site-packages/pytriton/tritonserver/bin/tritonserver"):
        return Program(binary, place.absolute())
    raise MissingDependency(
        f"no Triton server at {place} nor on PATH. Make an environment with one: make setup-triton, or python3 -m venv "
        f"{BESIDE} and {BESIDE}/bin/pip install nvidia-pytriton onnxruntime 'numpy<2'. Or set {VARIABLE} to your own"
    )


@contextlib.contextmanager
def running(
    repository: Path,
    *,
    program: Program | None = None,
    host: str = "127.0.0.1",
    port: int = 8001,
    log: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block; it is ready at its beginning. log: where its output goes.

    Raises ServerUnavailable where it ends or doesn't get ready.
    """
    program = program or find()
    with tempfile.TemporaryDirectory(prefix="speechmill-triton-") as folder, contextlib.ExitStack() as open_files:
        output = open_files.enter_context(log.open("wb")) if log else None
        backends = _backends(program, Path(folder))
        process = subprocess.Popen(
            [str(program.binary), *_arguments(repository, host, port), *backends],
            env=_environment(program),
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,  # Ctrl-C is ours to handle: it ends the server in order
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        try:
            _wait(process, f"{host}:{port}", log)
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server in order, or else at once."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_with_parent() -> None:
    """Have Linux end this process when its parent is gone, however that went: prctl(PR_SET_PDEATHSIG, SIGTERM)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _arguments(repository: Path, host: str, port: int) -> list[str]:
    return [
        f"--model-repository={repository.absolute()}",
        f"--grpc-address={host}",
        f"--grpc-port={port}",
        "--allow-http=false",
        "--allow-metrics=false",
        "--disable-auto-complete-config",  # config.pbtxt says it all; what it lacks is a mistake
        "--log-verbose=0",
    ]


def _backends(program: Program, folder: Path) -> list[str]:
    """Put together the folder of backends that the wheel's server needs; NVIDIA's own has one."""
    if program.environment is None:
        return []
    wheel = program.binary.parents[1]
    stub = wheel / "python_backend_stubs" / program.python / "triton_python_backend_stub"
    if not stub.is_file():
        raise MissingDependency(
            f"{program.environment}: its server knows no Python {program.python}; make it anew with another"
        )
    python = folder / "backends" / "python"
    python.mkdir(parents=True)
    for part in (*(wheel / "backends" / "python").iterdir(), stub):
        (python / part.name).symlink_to(part)
    return [f"--backend-directory={python.parent}"]


def _environment(program: Program) -> Mapping[str, str]:
    """The server runs the `python3` that is first on PATH, and finds the wheel's libraries by LD_LIBRARY_PATH."""
    if program.environment is None:
        return os.environ
    libraries = program.site_packages / "nvidia_pytriton.libs"
    paths = {"PATH": program.environment / "bin", "LD_LIBRARY_PATH": libraries}
    return {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")},
        **{name: os.pathsep.join(filter(None, (str(path), os.environ.get(name)))) for name, path in paths.items()},
    }


def _wait(process: subprocess.Popen[bytes], address: str, log: Path | None) -> None:
    """Return when the server is ready. Raises ServerUnavailable with the end of what it said."""
    import grpc

    connection, end = Connection(address, 1), time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if connection.ask("ServerReady", message("ServerReadyRequest")(), 1.0).ready:
                return
        except grpc.RpcError:
            pass  # not listening yet
        time.sleep(0.1)
    status = process.poll()
    how = f"ended with status {status}" if status is not None else f"was not ready after {START_S:.0f} s"
    said = f":\n{_faults(log.read_text(errors='replace'))}" if log else "; see above"
    raise ServerUnavailable(f"the server at {address} {how}{said}")


def _faults(log: str) -> str:
    """Return the lines that Triton marks as errors, or the last ones."""
    lines = log.splitlines()
    marked = [line for line in lines if re.match(r"E\d{4} |error:", line)]
    return "\n".join(marked[:5] or lines[-10:])
