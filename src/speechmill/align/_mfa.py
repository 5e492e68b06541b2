# SPDX-License-Identifier: Apache-2.0
"""The user's own Montreal Forced Aligner, run as a program: `mfa validate`, `train_g2p`, `g2p`, `train`, `align`.

Command lines are those of MFA 3 (montreal-forced-aligner.readthedocs.io, "Command line interface"). Each run has a
folder of its own as MFA_ROOT_DIR, so that databases and left-overs of other runs can't get in its way, and a time
limit. Exit status 0 says little: MFA leaves out what it could not align, so whoever calls looks for each output.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from msgspec import Struct

from speechmill.core.errors import MissingDependency, MissingModel, ProgramFailed

INSTALL = "conda install -c conda-forge montreal-forced-aligner"
_ENDINGS = {"acoustic": (".zip",), "dictionary": (".dict", ".txt"), "g2p": (".zip",)}
_SHOWN_LINES = 12  # of what it printed last, in an error


class Mfa(Struct, frozen=True):
    """A program and how it is run. Every method raises ProgramFailed: "mfa-failed", "mfa-timeout", "no-output"."""

    program: str = "mfa"  # a name on PATH, or a path
    timeout_s: float = 3600.0
    jobs: int = 1

    def validate(self, corpus: Path, dictionary: Path, model: Path | None = None) -> str:
        """Let MFA look over a corpus; return what it printed."""
        acoustic = ["--acoustic_model_path", str(model)] if model else []
        return self._run("validate", corpus, dictionary, options=acoustic)

    def train_g2p(self, dictionary: Path, model: Path) -> None:
        """Train a G2P model from a dictionary."""
        self._run("train_g2p", dictionary, model)
        _there(model, "train_g2p")

    def g2p(self, words: Path, model: Path, dictionary: Path, variants: int = 1) -> None:
        """Pronounce a list of words, one a line."""
        self._run("g2p", words, model, dictionary, options=["--num_pronunciations", str(variants)])
        _there(dictionary, "g2p")

    def train(self, corpus: Path, dictionary: Path, model: Path, output: Path | None = None) -> None:
        """Train an acoustic model of a corpus; with `output`, write the alignment that training ends with."""
        written = ["--output_directory", str(output)] if output else []
        self._run("train", corpus, dictionary, model, options=written)
        _there(model, "train")

    def align(
        self, corpus: Path, dictionary: Path, model: Path, output: Path, options: Sequence[str] = ()
    ) -> dict[str, Path | None]:
        """Align a corpus; return the TextGrid of each audio file that has a text, by its path without ending.

        None: MFA wrote nothing for it.
        """
        self._run("align", corpus, dictionary, model, output, options=["--output_format", "long_textgrid", *options])
        names = sorted(path.relative_to(corpus).with_suffix("") for path in corpus.rglob("*.lab"))
        grids = {name: output / name.with_suffix(".TextGrid") for name in names}
        return {name.as_posix(): grid if grid.is_file() else None for name, grid in grids.items()}

    def _run(self, command: str, *arguments: Path, options: Sequence[str] = ()) -> str:
        place = program(self.program)
        with tempfile.TemporaryDirectory(prefix="speechmill-mfa-", ignore_cleanup_errors=True) as root:
            common = ["--clean", "--num_jobs", str(self.jobs), "--temporary_directory", str(Path(root, "temporary"))]
            line = [place, command, *map(str, arguments), *options, *common]
            printed = Path(root, "printed.txt")
            status = self._wait(line, Path(root), printed)
            text = printed.read_text(encoding="utf-8", errors="replace")
        if status is None:
            raise ProgramFailed("mfa-timeout", f"mfa {command} was stopped after {self.timeout_s:g} s.{_last(text)}")
        if status != 0:
            raise ProgramFailed("mfa-failed", f"mfa {command} ended with {status}.{_last(text)}")
        return text

    def _wait(self, line: Sequence[str], root: Path, printed: Path) -> int | None:
        """Run to the end; None where that takes too long, and nothing of it runs on."""
        environment = {**os.environ, "MFA_ROOT_DIR": str(root), "PYTHONIOENCODING": "utf-8"}
        # Into a file: a pipe that a grandchild holds open would keep us waiting for it.
        with printed.open("wb") as output:
            process = subprocess.Popen(
                line, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                return process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                _end(process)


def program(name: str) -> str:
    """Return the path of a program on the PATH. Raises MissingDependency."""
    place = shutil.which(name)
    if place is None:
        raise MissingDependency(f"no program {name!r} on PATH. Install MFA with: {INSTALL}")
    return place


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started, where it still runs."""
    if process.poll() is not None:
        return
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.kill()
    for child in family:
        if child.is_running():
            child.kill()
    process.wait()


def _there(path: Path, command: str) -> None:
    if not path.is_file():
        raise ProgramFailed("no-output", f"mfa {command} ended with 0 and did not write {path}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()][-_SHOWN_LINES:]
    return f" It printed last: {' / '.join(lines)[-1500:]}" if lines else " It printed nothing."


def found(kind: str, name: str) -> Path:
    """Return the file of a model: a path, or a name that `mfa model download` has fetched for this user.

    kind: acoustic, dictionary or g2p. Raises MissingModel.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path.resolve()
    root = Path(os.environ.get("MFA_ROOT_DIR") or Path.home() / "Documents" / "MFA")
    folder = root / "pretrained_models" / kind
    for ending in _ENDINGS[kind]:
        if (folder / f"{name}{ending}").is_file():
            return (folder / f"{name}{ending}").resolve()
    raise MissingModel(
        f"align mfa: no file {name!r}, and no {kind} model of that name in {folder}. "
        f"Name a file, or fetch it with: mfa model download {kind} {name}"
    )
