# SPDX-License-Identifier: Apache-2.0
"""`speechmill run --dry-run --cluster`: what a corpus would take on many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.output import hours, print_json, print_table
from speechmill.core.errors import ConfigError

if TYPE_CHECKING:
    from speechmill.pipeline.cluster import Scale


def show_scales(corpus: Any, sizes: str | None, prices: str | None, as_json: bool) -> int:
    """Print an estimate for each size; with prices, what it costs. Raises ConfigError."""
    from speechmill.pipeline.cluster import HOURS, estimate_cluster

    asked = _numbers("--hours", sizes) if sizes else HOURS
    paid = _numbers("--prices", prices) if prices else None
    if paid is not None and len(paid) != 2:
        raise ConfigError("--prices: two numbers, as in 0.04,1.20: an hour of a core, an hour of a GPU")
    found = estimate_cluster(corpus, asked)
    if as_json:
        print_json(found)
        return 0
    options = corpus.orchestrate
    click.echo(f"with up to {options.parallel} tasks at once of {options.workers} processes each (orchestrate:)")
    header = ("audio h", "recordings", "shards", "tasks", "CPU h", "GPU h", "overhead h", "wall", "storage GB")
    print_table("", (*header, *(("cost",) if paid else ())), [_row(scale, paid) for scale in found])
    parts = [
        (part.step, part.tasks, _short(part.cpu_h), _short(part.gpu_h), hours(part.wall_h * 3600), _source(part))
        for part in found[-1].parts
    ]
    title = f"of which, for {_short(found[-1].audio_h)} h"
    print_table(title, ("step", "tasks", "CPU h", "GPU h", "wall", "from"), parts)
    return 0


def _row(scale: Scale, paid: tuple[float, ...] | None) -> tuple[object, ...]:
    numbers = (scale.audio_h, scale.recordings, scale.shards, scale.tasks, scale.cpu_h, scale.gpu_h, scale.overhead_h)
    cells = (*map(_short, numbers), hours(scale.wall_h * 3600), _short(scale.storage_gb))
    return (*cells, _short(scale.price(*paid))) if paid else cells


def _source(part: Any) -> str:
    if not part.cpu_h and not part.gpu_h:
        return "its start alone"
    return "measured here" if part.measured else "typical"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.2f}"


def _numbers(option: str, written: str) -> tuple[float, ...]:
    try:
        found = tuple(float(number) for number in written.split(","))
    except ValueError:
        raise ConfigError(f"{option} {written}: numbers, with commas between them") from None
    if any(not 0 < number < float("inf") for number in found):
        raise ConfigError(f"{option} {written}: numbers above 0")
    return found
