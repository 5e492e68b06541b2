# SPDX-License-Identifier: Apache-2.0
"""`speechmill doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from speechmill.cli.output import print_json

LEAST_FREE_GB = 2.0


class Finding(Struct, frozen=True):
    """One thing looked at. `mend` is what to do about it; empty where nothing is wrong."""

    what: str
    fine: bool
    found: str
    mend: str = ""


@click.command("doctor")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("."))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(workspace: Path, as_json: bool) -> int:
    """Check installation, backends, weights and disk, and say how to mend each fault.

    \b
    speechmill doctor ./workspace
    """
    findings = [*_install(), *_disk(workspace), *_backends()]
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.fine else 'MEND'}  {finding.what:<28} {finding.found}")
            if finding.mend:
                click.echo(f"      -> {finding.mend}")
    # What is optional may be absent; only what every run needs decides.
    return int(any(not finding.fine for finding in findings if not finding.what.startswith("optional")))


def _install() -> Iterator[Finding]:
    version = platform.python_version()
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", fine, version, "" if fine else "install Python 3.11, 3.12 or 3.13")
    for requirement in importlib.metadata.requires("speechmill") or []:
        if "extra ==" in requirement:
            continue
        name = requirement.split(">")[0].split("=")[0].split("<")[0].strip()
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", f"pip install '{requirement}'")


def _disk(workspace: Path) -> Iterator[Finding]:
    place = workspace.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    mend = "" if free > LEAST_FREE_GB else "make room: an hour of audio takes about 0.1 GB, and as much per export"
    yield Finding("disk", not mend, f"{free:.1f} GB free at {place}", mend)
    writable = os.access(place, os.W_OK)
    yield Finding(
        "workspace",
        writable,
        f"{place} {'can' if writable else 'cannot'} be written",
        "" if writable else "choose another with --out",
    )


def _backends() -> Iterator[Finding]:
    from speechmill import models
    from speechmill.core import registry

    for family in registry.FAMILIES:
        for name in registry.names(family):
            module = registry.load(family, name)
            missing = registry.missing_packages(module)
            label = f"{family} {name}"
            if missing:
                yield Finding(
                    f"optional {label}", False, f"needs {', '.join(missing)}", f"pip install {' '.join(missing)}"
                )
                continue
            absent = [card for card in getattr(module, "MODELS", ()) if not models.is_present(card)]
            mend = f"speechmill models pull {' '.join(absent)} (a run does so by itself where it can)" if absent else ""
            yield Finding(
                f"optional {label}" if absent else label, not absent, "weights absent" if absent else "ready", mend
            )
