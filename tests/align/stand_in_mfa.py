# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the Montreal Forced Aligner 3: its command line, its outputs and its failures, without Kaldi.

It spreads words evenly over the middle of the audio. `STAND_IN` names a way to fail:
lose (leaves out every second file and ends with 0), lose-all, absurd (a word of 298.8 s), other (writes other words),
broken (half a TextGrid), fail (a database error, status 1), hang, no-model (ends with 0 and saves nothing).
Words that the dictionary lacks are aligned as the phone `spn`, as MFA does without a G2P model.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import wave
from pathlib import Path

MODE = os.environ.get("STAND_IN", "")


def main() -> int:
    arguments = parser().parse_args()
    root = Path(os.environ["MFA_ROOT_DIR"])
    log(arguments, root)
    if MODE == "hang":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        time.sleep(60)
    database = root / "corpus.db"
    if MODE == "fail" or database.exists():
        print("ERROR    There was an error in the run, please see the log.")
        print("sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked")
        return 1
    database.touch()
    print(f" INFO     Setting up corpus information for {arguments.command}...")
    COMMANDS[arguments.command](arguments)
    print(" INFO     Done! Everything took 0.001 seconds")
    return 0


def log(arguments: argparse.Namespace, root: Path) -> None:
    """Tell the test how it was called."""
    if "STAND_IN_LOG" in os.environ:
        with Path(os.environ["STAND_IN_LOG"]).open("a") as file:
            file.write(json.dumps({"line": sys.argv[1:], "root": str(root)}) + "\n")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("mfa")
    commands = made.add_subparsers(dest="command", required=True)
    places = {
        "validate": ("corpus_directory", "dictionary_path"),
        "train_g2p": ("dictionary_path", "output_model_path"),
        "g2p": ("input_path", "g2p_model_path", "output_path"),
        "train": ("corpus_directory", "dictionary_path", "output_model_path"),
        "align": ("corpus_directory", "dictionary_path", "acoustic_model_path", "output_directory"),
    }
    for name, arguments in places.items():
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument, type=Path)
        command.add_argument("-t", "--temporary_directory", type=Path)
        command.add_argument("-j", "--num_jobs", type=int, default=3)
        command.add_argument("--clean", action="store_true")
        command.add_argument("--single_speaker", action="store_true")
        if name == "align":
            command.add_argument("--output_format", choices=("long_textgrid", "short_textgrid", "json", "csv"))
            command.add_argument("--beam", type=int)
            command.add_argument("--retry_beam", type=int)
            command.add_argument("--g2p_model_path", type=Path)
        if name == "validate":
            command.add_argument("--acoustic_model_path", type=Path)
        if name == "train":
            command.add_argument("--output_directory", type=Path)
        if name == "g2p":
            command.add_argument("-n", "--num_pronunciations", type=int, default=0)
    return made


def dictionary(path: Path) -> dict[str, list[str]]:
    if not path.exists():
        sys.exit(f"Invalid value for 'DICTIONARY_PATH': {path} could not be found.")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {row[0]: row[-1].split() for row in rows}


def validate(arguments: argparse.Namespace) -> None:
    known = dictionary(arguments.dictionary_path)
    texts = [path.read_text(encoding="utf-8") for path in arguments.corpus_directory.rglob("*.lab")]
    missing = {word for text in texts for word in text.split()} - set(known)
    print(f" INFO     {len(texts)} sound files", f" WARNING  {len(missing)} OOV word types", sep="\n")


def save(path: Path, text: str) -> None:
    if MODE != "no-model":
        path.write_text(text, encoding="utf-8")


def train_g2p(arguments: argparse.Namespace) -> None:
    dictionary(arguments.dictionary_path)
    save(arguments.output_model_path, "a model")


def g2p(arguments: argparse.Namespace) -> None:
    words = arguments.input_path.read_text(encoding="utf-8").split()
    save(arguments.output_path, "".join(f"{word}\t{' '.join(word)}\n" for word in words))


def train(arguments: argparse.Namespace) -> None:
    dictionary(arguments.dictionary_path)
    save(arguments.output_model_path, "a model")
    if arguments.output_directory:
        export(arguments, arguments.output_directory)


def align(arguments: argparse.Namespace) -> None:
    if not arguments.acoustic_model_path.exists():
        sys.exit(f"Invalid value for 'ACOUSTIC_MODEL_PATH': {arguments.acoustic_model_path} could not be found.")
    export(arguments, arguments.output_directory)


def export(arguments: argparse.Namespace, output: Path) -> None:
    known = dictionary(arguments.dictionary_path)
    for number, text in enumerate(sorted(arguments.corpus_directory.rglob("*.lab"))):
        if MODE == "lose-all" or (MODE == "lose" and number % 2):
            continue
        target = output / text.relative_to(arguments.corpus_directory).with_suffix(".TextGrid")
        target.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(text.with_suffix(".wav"))) as audio:
            duration = audio.getnframes() / audio.getframerate()
        words = text.read_text(encoding="utf-8").split()
        words = ["other", *words] if MODE == "other" else words
        target.write_text(grid(words, known, duration), encoding="utf-8")
        if MODE == "broken":
            target.write_text(target.read_text()[:200], encoding="utf-8")


def grid(words: list[str], known: dict[str, list[str]], duration: float) -> str:
    step = 0.8 * duration / len(words)
    edges = [0.1 * duration + i * step for i in range(len(words) + 1)]
    if MODE == "absurd":
        edges[-1] = edges[-2] + 298.8
    duration = max(duration, edges[-1])
    spoken, phones = [], []
    for word, start, end in zip(words, edges[:-1], edges[1:], strict=True):
        spoken.append((start, end, word))
        parts = known.get(word, ["spn"])
        length = (end - start) / len(parts)
        phones += [(start + i * length, start + (i + 1) * length, phone) for i, phone in enumerate(parts)]
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {duration}\n'
    tiers = [tier(1, "words", spoken, duration), tier(2, "phones", phones, duration)]
    return head + "tiers? <exists>\nsize = 2\nitem []:\n" + "".join(tiers)


def tier(number: int, name: str, rows: list[tuple[float, float, str]], duration: float) -> str:
    filled = [(0.0, rows[0][0], ""), *rows]
    if rows[-1][1] < duration:
        filled.append((rows[-1][1], duration, ""))
    lines = [f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n        xmin = 0\n']
    lines.append(f"        xmax = {duration}\n        intervals: size = {len(filled)}\n")
    for i, (start, end, symbol) in enumerate(filled, start=1):
        lines.append(f"        intervals [{i}]:\n            xmin = {start}\n            xmax = {end}\n")
        lines.append(f'            text = "{symbol}"\n')
    return "".join(lines)


COMMANDS = {"validate": validate, "train_g2p": train_g2p, "g2p": g2p, "train": train, "align": align}

if __name__ == "__main__":
    sys.exit(main())
