# SPDX-License-Identifier: Apache-2.0
"""How commands that work are watched: `--log-format`, and the metrics that the environment asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from speechmill.pipeline.record import Observer

_LOG = "SPEECHMILL_LOG"


def _remember(_context: click.Context, _parameter: click.Parameter, value: str) -> None:
    if value != os.environ.get(_LOG, "text"):  # where nothing is asked for, nothing is left in the environment
        os.environ[_LOG] = value  # for what ends the command too; see speechmill.cli.main


log_format = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    envvar=_LOG,
    show_envvar=True,
    default="text",
    help="json: what happens, as one JSON object a line on stderr.",
    expose_value=False,
    callback=_remember,
)


def observed(observer: Observer) -> Observer:
    """Return an observer that also logs and measures as was asked, until the command ends.

    Raises ConfigError, MissingDependency.
    """
    from speechmill.telemetry.observe import observed as watched

    return click.get_current_context().with_resource(watched(observer))
