# SPDX-License-Identifier: Apache-2.0
"""`speechmill conclude`: the last task of every orchestrated run."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.output import print_json


@click.command("conclude")
@click.option("--run", "folder", type=click.Path(path_type=Path), required=True, help="WORKSPACE/runs/ID")
@click.option("--max-failed", type=click.IntRange(min=0), default=0, show_default=True, help="More end with status 1.")
@click.option("--no-audio", is_flag=True, help="No playable samples in report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print what a task passes on, as one line of JSON.")
def command(folder: Path, max_failed: int, no_audio: bool, as_json: bool) -> int:
    """Write the summary and the report of a run whose shards `speechmill exec` has done.

    Ends 1 where more recordings failed than are allowed to.

    \b
    speechmill conclude --run ./workspace/runs/20260101-120000-000000-abc123 --max-failed 20
    """
    from speechmill.cli.status import show
    from speechmill.core.errors import ConfigError
    from speechmill.pipeline.overview import overview
    from speechmill.pipeline.planned import conclude

    if not (folder / "plan.json").exists():
        raise ConfigError(f"{folder} is not a run; name WORKSPACE/runs/ID")
    summary = conclude(folder, max_failed=max_failed, audio=not no_audio)
    workspace = folder.resolve().parents[1]
    found = overview(workspace)
    if as_json:
        print_json(
            {
                "run": str(folder),
                "report": str(workspace / "report.html"),
                "dataset": str(workspace / "dataset" / "segments.parquet"),
                "recordings": summary.recordings,
                "failed": len({failed.recording_id for failed in summary.failures}),
                "segments": found.segments,
                "segments_kept": found.segments_kept,
                "hours_kept": round(found.kept_h, 4),
            }
        )
    else:
        show(found)
    return summary.exit_status or 0
