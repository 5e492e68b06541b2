# SPDX-License-Identifier: Apache-2.0
"""Help and documents tell of commands that exist: every line `speechmill ...` is parsed by the command itself."""

import re
import shlex
from pathlib import Path

import click
import pytest

from speechmill.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def commands():
    """Every command by its full name, sub-commands included."""
    found = {}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        found[name] = command
        for inner, sub in getattr(command, "commands", {}).items():
            found[f"{name} {inner}"] = sub
    return found


def lines_in(page):
    """Yield each mention of a command: lines of code blocks, and code within prose."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for block in fenced:
        yield from (line.removeprefix("$ ") for line in block.splitlines() if re.match(r"(\$ )?speechmill ", line))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(speechmill [^`]+)`", prose)


MENTIONS = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in lines_in(page)]


def check(command, words, path):
    """Parse words with a command; raises click.UsageError where an option or sub-command does not exist."""
    if isinstance(command, click.Group):
        if not words:
            return
        # As the command itself does: a corpus file may stand where `crawl` has its commands.
        name, inner, rest = command.resolve_command(click.Context(command), words)
        assert inner is not None
        check(inner, rest, f"{path} {name}")
        return
    if not words or words == ["--help"]:
        return  # `speechmill exec`, as prose names it
    command.make_context(path, words)


def test_the_documents_mention_many_commands():
    assert len(MENTIONS) > 60
    assert {shlex.split(line)[1] for _page, line in MENTIONS} >= set(COMMANDS)


@pytest.mark.parametrize(("page", "line"), MENTIONS, ids=[f"{page}: {line}" for page, line in MENTIONS])
def test_a_documented_command_line_is_understood(page, line):
    words = shlex.split(line)[1:]
    if words[0] in ("COMMAND", "--help"):
        return
    check(cli, words, "speechmill")


def test_the_check_refuses_what_does_not_exist():
    for line in (
        "run ./audio --no-such-option",
        "models fetch dnsmos",
        "rnu",
        "crawl serch 'a talk'",
        "crawl --limit 3",
    ):
        with pytest.raises(click.UsageError):
            check(cli, shlex.split(line), "speechmill")


@pytest.mark.parametrize("name", list(commands()))
def test_help_works_and_has_an_example(name):
    command = commands()[name]
    shown = command.get_help(click.Context(command, info_name=f"speechmill {name}"))
    examples = re.findall(rf"^ *(speechmill {name}\b.*)$", shown.split("Options:")[0], re.MULTILINE)
    assert examples, shown
    for line in examples:
        check(cli, shlex.split(line)[1:], "speechmill")


def test_the_groups_help_lists_every_command(speechmill):
    shown = speechmill("--help").stdout
    assert [name for name in COMMANDS if not re.search(rf"^  {name} ", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_command_page_has_every_command_with_every_option(name):
    section = re.search(rf"^## speechmill {name}\n(.*?)(?=^## |\Z)", CLI_PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert re.search(rf"^speechmill {name}\b", section[1], re.MULTILINE), "no example to copy"
    found = {full: command for full, command in commands().items() if full.split()[0] == name}
    options = {
        option
        for command in found.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }
    assert [option for option in sorted(options) if option not in section[1]] == []
