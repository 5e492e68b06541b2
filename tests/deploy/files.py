# SPDX-License-Identifier: Apache-2.0
"""What tests of deploy/ have in common: where it is, and how its files are read."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))
STAGES = ("dev", "test", "acceptance", "production")
# A tag that says exactly what it is: with a version to the second place at least, or an image's digest.
PINNED = re.compile(r"[^:@]+(:\d+\.\d[^:]*|:v\d+\.\d[^:]*|@sha256:[0-9a-f]{64})")
_PLACE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


class NotSaid(Exception):
    """A variable that compose refuses to start without."""


def environment(*files: Path) -> dict[str, str]:
    """Read files of KEY=VALUE lines, as `docker compose --env-file` does; the later one counts."""
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Fill in ${A}, ${A:-default} and ${A:?message} as compose does. Raises NotSaid."""

    def put_in(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if name is None:
            return "$"
        if value := values.get(name):
            return value
        if kind == "?":
            raise NotSaid(name)
        return rest if kind == "-" else ""

    return _PLACE.sub(put_in, text)


def load(text: str) -> Any:
    """Read one YAML document."""
    return yaml.safe_load(text)


def program(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that pip put beside Python."""
    words = [Path(sys.executable).parent / name, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def scripts() -> list[Path]:
    """Return the shell scripts of deploy/."""
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".json"]
    return sorted(path for path in files if path.read_bytes().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash")))
