# SPDX-License-Identifier: Apache-2.0
"""`speechmill`: the group of commands. A command's module is imported when it is called, not before."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from speechmill import __version__
from speechmill.core.errors import SpeechmillError

# name -> (module below speechmill.cli, one line of help)
COMMANDS = {
    "init": ("init", "Write a commented corpus file to start from."),
    "run": ("run", "Make the dataset of a corpus file or a folder of audio."),
    "crawl": ("crawl", "Find, describe and fetch what remote sources have."),
    "status": ("status", "Show what a workspace holds, what failed and why."),
    "report": ("report", "Write report.html and say where it is."),
    "explain": ("explain", "Tell everything that happened to a segment or recording."),
    "filter": ("filter", "Decide anew what is kept, or show hours kept per threshold."),
    "export": ("export", "Write the kept segments in a format to train from."),
    "sample": ("sample", "Judge a sample by ear; tell from it how good the dataset is."),
    "dataset": ("dataset", "Show the versions of a dataset, and why two of them differ."),
    "corrections": ("corrections", "Bring corrections of text, speakers and boundaries back."),
    "align": ("align", "Time the words and phones of a folder of audio with texts, or of one file."),
    "train-acoustic": ("train_acoustic", "Train an acoustic model on a folder of audio with texts."),
    "adapt": ("adapt", "Move an acoustic model towards the speech of a folder."),
    "validate": ("validate", "Say what will go wrong when a folder is aligned with a lexicon."),
    "evaluate": ("evaluate", "Compare alignments with the truth."),
    "lexicon": ("lexicon", "Make, extend and check lexica: how words are said."),
    "train-g2p": ("train_g2p", "Learn from a lexicon how new words are said."),
    "models": ("models", "List, pull and show the weights that backends use."),
    "list": ("list", "List the backends of a family, and what they need."),
    "serve": ("serve", "Serve networks to many workers by an NVIDIA Triton server."),
    "doctor": ("doctor", "Check the installation, and say how to mend each fault."),
    "plan": ("plan", "Freeze a run and cut it into shards, for an orchestrator."),
    "exec": ("exec", "Do a share of a run: some shards, some stages."),
    "conclude": ("conclude", "Write summary and report of a run that was done piece by piece."),
    "render": ("render", "Write a corpus as Airflow DAGs, Flyte workflows or a Kubeflow pipeline."),
    "check": ("check", "Find what is wrong in a workspace: times, texts, audio, tables, exports."),
    "purge": ("purge", "Take a recording or a speaker out of everything, and prove it."),
    "gc": ("gc", "Delete what no run needs any more."),
    "demo": ("demo", "Make a small podcast with known truth, and run on it."),
}


class Commands(click.Group):
    """A group that imports a command's module only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"speechmill.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="speechmill")
def cli() -> None:
    """Turn raw long-form speech into a documented, word-aligned dataset.

    \b
    speechmill run ./audio --language en --out ./workspace
    speechmill status ./workspace
    """


def main() -> None:
    """Run the command line: status 0; 1 when too much failed; 2 when it could not run."""
    if "SPEECHMILL_ENDS_WITH" in os.environ:  # psutil is loaded only for an orchestrator's task
        from speechmill.core.watchdog import end_with_others

        end_with_others()
    try:
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = 2
    except SpeechmillError as error:
        _say(f"{error}")
        status = 2
    except OSError as error:
        _say(describe(error))
        status = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        status = 130
    except Exception:  # 1 means "more failed than --max-failed": a bug must not look like that
        traceback.print_exc()
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _say(error: str) -> None:
    if os.environ.get("SPEECHMILL_LOG") == "json":
        from speechmill.telemetry.logs import JsonLog

        JsonLog().note(error, "error")
    else:
        click.echo(f"speechmill: {error}", err=True)


def describe(error: OSError) -> str:
    """Say what an operating system's error means for a run."""
    import errno

    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}. What was done is kept: make room and run the same command again"
    return f"{error.strerror or error}{where}"
