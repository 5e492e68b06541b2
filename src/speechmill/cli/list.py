# SPDX-License-Identifier: Apache-2.0
"""`speechmill list`."""

from __future__ import annotations

import click

from speechmill.cli.output import print_json, print_table
from speechmill.core.registry import FAMILIES, PLACES


@click.command("list")
@click.argument("family", type=click.Choice((*FAMILIES, *PLACES)), required=False)
@click.option("--language", help="Only those that know this language.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(family: str | None, language: str | None, as_json: bool) -> None:
    """List the backends of FAMILY (or of all), engines or orchestrators, whether they can run here, and what they need.

    \b
    speechmill list asr --language vi
    """
    rows = [row for name in ([family] if family else (*FAMILIES, *PLACES)) for row in _rows(name, language)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"none that knows {language!r}" if language else "none")
        return
    header = ("family", "backend", "ready", "what it is")
    print_table("", header, [(row["family"], row["backend"], row["needs"] or "yes", row["what"]) for row in rows])


def _rows(family: str, language: str | None) -> list[dict[str, str]]:
    from speechmill import models
    from speechmill.core import registry

    rows = []
    for name in registry.names(family):
        module = registry.load(family, name)
        if language is not None and not registry.knows_language(module, language):
            continue
        missing = registry.missing_packages(module)
        absent = [card for card in getattr(module, "MODELS", ()) if not models.is_present(card)]
        needs = f"pip install {' '.join(missing)}" if missing else ""
        if absent and not missing:
            needs = f"speechmill models pull {' '.join(absent)}"
        what = (module.__doc__ or "").strip().splitlines()[0]
        rows.append({"family": family, "backend": name, "needs": needs, "what": what})
    return rows
