# SPDX-License-Identifier: Apache-2.0
"""`speechmill serve`."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from speechmill.cli.output import print_table

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("serve")
def command() -> None:
    """Serve the networks of VAD, diarization and DNSMOS to many workers by an NVIDIA Triton server.

    \b
    speechmill serve export ./triton
    speechmill serve run ./triton
    """


@command.command("export")
@click.argument("folder", type=FOLDER)
@click.option(
    "--backend",
    type=click.Choice(["python", "onnxruntime"]),
    default="python",
    help="Triton's backend: python puts requests together; onnxruntime needs no Python.",
)
@click.option("--instances", type=click.IntRange(min=1), default=1, help="Of each network: so many cores work on it.")
@click.option("--gpu", is_flag=True, help="Run on the server's GPUs.")
def export(folder: Path, backend: str, instances: int, gpu: bool) -> None:
    """Write the repository that a Triton server loads: every network that a backend here can ask a server for.

    \b
    speechmill serve export ./triton --instances 4
    """
    import msgspec

    from speechmill import models
    from speechmill.serving.networks import served
    from speechmill.serving.repository import Options, write

    options = msgspec.convert({"kind": backend, "instances": instances, "gpu": gpu}, Options)
    for place in write(folder, served(models.path), options):
        click.echo(place)


@command.command("run")
@click.argument("folder", type=FOLDER)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for other machines."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True)
@click.option(
    "--triton",
    type=click.Path(path_type=Path, exists=True),
    help="tritonserver, or a virtual environment with nvidia-pytriton. Default: SPEECHMILL_TRITON, PATH, .venv-triton.",
)
def run(folder: Path, host: str, port: int, triton: Path | None) -> None:
    """Run a Triton server on the repository in FOLDER until Ctrl-C.

    \b
    speechmill serve run ./triton --port 8001
    """
    from speechmill.core.errors import ServerUnavailable
    from speechmill.serving.tritonserver import find, running

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how containers and systemd say Ctrl-C
    with running(folder, program=find(triton), host=host, port=port) as process:
        click.echo(f"ready; in the corpus file: device: triton://{host}:{port}", err=True)
        status = process.wait()
    raise ServerUnavailable(f"the server ended by itself, with status {status}; see above")


@command.command("check")
@click.argument("device")
def check(device: str) -> None:
    """Ask the servers of DEVICE whether they are ready and have our weights; status 2 where one has not.

    \b
    speechmill serve check triton://localhost:8001
    """
    from speechmill import models
    from speechmill.core.errors import ServerUnavailable
    from speechmill.serving.health import READY, health
    from speechmill.serving.networks import served

    found = health(device, served(models.path))
    rows = [(one.server, one.network, one.rows, one.batches, one.state) for one in found]
    print_table("", ("server", "network", "rows", "batches", "state"), rows)
    if bad := [one for one in found if one.state != READY]:
        raise ServerUnavailable(f"{len(bad)} of {len(found)} networks can't be used; see above")
