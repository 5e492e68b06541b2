# SPDX-License-Identifier: Apache-2.0
"""`speechmill render`."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.output import parse_settings, print_table


@click.command("render")
@click.argument("orchestrator")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("rendered"), show_default=True, help="A folder.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="--set orchestrate.workers=4")
@click.option("--capabilities", is_flag=True, help="Write nothing: show what the orchestrator can do.")
def command(orchestrator: str, corpus: Path, out: Path, settings: tuple[str, ...], capabilities: bool) -> None:
    """Write CORPUS in the terms of ORCHESTRATOR: airflow, flyte or kubeflow. Its `orchestrate:` says how it is run.

    \b
    speechmill render airflow corpus.yaml --out ./dags
    speechmill render kubeflow corpus.yaml --set orchestrate.gpu=true
    """
    from speechmill import api
    from speechmill.core import registry
    from speechmill.orchestrators import check

    module = registry.load("orchestrators", orchestrator)
    if capabilities:
        rows = [(name, "yes" if one.supported else "no", one.how) for name, one in module.CAPABILITIES.items()]
        print_table("", (orchestrator, "", ""), rows)
        return
    registry.require("orchestrators", orchestrator)
    read = api.corpus_of(corpus, None, parse_settings(settings))
    check(orchestrator, module.CAPABILITIES, read)
    out.mkdir(parents=True, exist_ok=True)
    for path in module.render(read, out):
        click.echo(path)
