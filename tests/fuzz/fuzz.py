#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fuzz one parser, led by coverage: python tests/fuzz/fuzz.py TARGET --seconds N. Without a target it lists them.

Ends with 0 where nothing was found; otherwise the input lies beside the corpus and the trace on stderr. What was once
found comes back with --repeat FILE.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import atheris

INSTRUMENTED = ["speechmill.formats", "speechmill.transcripts", "speechmill.sources", "speechmill.pipeline"]
MAX_BYTES = 4096
SLOW_S = 10  # libFuzzer's -timeout: of one input; a parser takes milliseconds for 4 kB
MEMORY_MB = 2048
ABSURD = {
    b"NaN",
    b"inf",
    b"-1",
    b"1e308",
    b"1e999",
    b"9" * 30,
    b"\x00",
    b"\xed\xa0\x80",
    b"\r\n",
    b"../..",
    b"\xff\xfe",
}

with atheris.instrument_imports(include=INSTRUMENTED):
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.fuzz.targets import TARGETS, Target, refused


def fuzz(target: Target, corpus: Path, seconds: int, folder: Path) -> None:
    """Run libFuzzer; it ends the process."""
    tokens: set[bytes] = set()
    for number, seed in enumerate(target.seeds(folder)):
        (corpus / f"seed{number}").write_bytes(seed)
        tokens |= set(re.findall(rb"\w{2,30}|[^\w\s]{2,8}", seed))
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in token) + '"' for token in sorted(tokens | ABSURD)]
    (folder / "tokens").write_text("\n".join(lines) + "\n")
    flags = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}"]
    flags += [f"-artifact_prefix={corpus}/", f"-dict={folder / 'tokens'}", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], lambda content: one(target, content, folder))
    atheris.Fuzz()


def one(target: Target, content: bytes, folder: Path) -> None:
    """Try one input."""
    path = folder / f"input{target.suffix}"
    path.write_bytes(content)
    refused(target, path, folder)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder that keeps what was found to reach new places")
    parser.add_argument("--repeat", type=Path, help="try this one input")
    asked = parser.parse_args(arguments)
    if asked.target is None:
        print("\n".join(sorted(TARGETS)))
        return
    shared = Path("/dev/shm")  # parsers are given files, thousands a second
    folder = Path(tempfile.mkdtemp(prefix="speechmill-fuzz-", dir=shared if os.access(shared, os.W_OK) else None))
    corpus = asked.corpus or folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    target = TARGETS[asked.target]
    if asked.repeat:
        one(target, asked.repeat.read_bytes(), folder)
        shutil.rmtree(folder)
        return
    # libFuzzer ends the process by _exit, after which nothing is cleaned up: a child cleans up after it.
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        finds = [path for path in corpus.glob("*") if path.name.startswith(("crash-", "timeout-", "oom-", "slow-"))]
        for path in finds:
            print(f"{asked.target}: {path.read_bytes()[:2000]!r}", file=sys.stderr)
        if asked.corpus is None or not finds:
            shutil.rmtree(folder, ignore_errors=True)
        raise SystemExit(os.waitstatus_to_exitcode(status) and 1)
    fuzz(target, corpus, asked.seconds, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
