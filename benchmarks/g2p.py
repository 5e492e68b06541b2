# SPDX-License-Identifier: Apache-2.0
"""How often pronunciations are right: Vietnamese by rule, and words that a trained G2P never saw.

Row `vi_rules`: the share of the regular words of MFA's Hanoi dictionary whose likeliest pronunciation by rule is one
that the dictionary lists; `excluded` is the share of its words that the committed pattern, `parse` in
`speechmill.g2p._vietnamese_syllables`, calls irregular. The baseline is the goal. `vi_trained` and `cmudict_trained`:
a fifth of the words held out, drawn by seed (the median of three for Vietnamese; one for CMUdict, of which some 5,000
held-out words are said); a word is right if its likeliest pronunciation is one that the dictionary lists. CMUdict is
that of pocketsphinx's wheel, without stress. The baseline is phonetisaurus on the same words where it is installed
(the extra `bench`), at its own settings; where its 8-grams crash, as on words as short as Vietnamese syllables, the
highest order that doesn't. Where it is not installed, it is for Vietnamese what MFA 3.4.3 reached on such a split,
72.9 %, and nothing for CMUdict. `*_train_s`: CPU seconds, with `memory_mb` the peak of this process so far.

    python benchmarks/g2p.py [--only vi_rules,vi_trained,cmudict_trained]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from speechmill import models
from speechmill.core.stage import Context
from speechmill.formats import lexicon
from speechmill.formats.lexicon import Lexicon
from speechmill.g2p import joint
from speechmill.g2p._vietnamese_syllables import parse
from speechmill.g2p.vietnamese import Backend, Config

HANOI = Path(__file__).resolve().parents[2] / "shared" / "data" / "espeak_vi" / "vietnamese_hanoi_mfa.dict"
GOAL, MFA = 0.99, 0.729
SEEDS = (1, 2, 3)
MAX_TEST_WORDS = 5000
ORDERS = range(8, 2, -1)


def rules(known: Lexicon) -> dict[str, Any]:
    """Compare the rules with the dictionary."""
    regular = [word for word in known.entries if parse(word)]
    said = Backend(Config(), Context(Path(), Path)).pronounce(regular)
    right = [
        variants[0].phones in {variant.phones for variant in known.entries[word]}
        for word, variants in zip(regular, said, strict=True)
    ]
    print("not as the dictionary:", *(word for word, one in zip(regular, right, strict=True) if not one))
    excluded = 1 - len(regular) / len(known.entries)
    return row("vi_rules", "share", sum(right) / len(right), GOAL, "goal", excluded=round(excluded, 4))


def trained(name: str, known: Lexicon, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Train on four fifths, say the last; phonetisaurus likewise."""
    ours, theirs, rates, seconds, their_seconds = [], [], [], [], []
    with_theirs = importlib.util.find_spec("phonetisaurus") is not None
    for seed in seeds:
        rest, test = joint.split(known, 0.2, seed)
        step = max(1, len(test.entries) // MAX_TEST_WORDS)
        test = Lexicon(dict(list(test.entries.items())[::step]))
        began = time.process_time()
        model = joint.train(rest)
        seconds.append(time.process_time() - began)
        accuracy = joint.evaluate(model, test)
        ours.append(accuracy.word_accuracy)
        rates.append(accuracy.phone_error_rate)
        print(f"{name} seed {seed}: {accuracy.words} words, {ours[-1]:.4f} right, phone error rate {rates[-1]:.4f}")
        if with_theirs:
            right, cpu, order = phonetisaurus(rest, test)
            theirs.append(right)
            their_seconds.append(cpu)
            print(f"{name} seed {seed}: phonetisaurus {right:.4f}, order {order}")
    baseline = statistics.median(theirs) if theirs else MFA if name == "vi_trained" else None
    named = "phonetisaurus" if theirs else "MFA 3.4.3, published" if baseline else "phonetisaurus is not installed"
    took = statistics.median(their_seconds) if their_seconds else None
    memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    error = round(statistics.median(rates), 4)
    return [
        row(name, "share of words", statistics.median(ours), baseline, named, phone_error_rate=error, seeds=len(seeds)),
        row(f"{name}_train_s", "CPU s", statistics.median(seconds), took, named, memory_mb=memory),
    ]


def phonetisaurus(rest: Lexicon, test: Lexicon) -> tuple[float, float, int]:
    """Return phonetisaurus' share of right words, the CPU seconds of its training and the order of its model."""
    import phonetisaurus as theirs

    environment = theirs.guess_environment()
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"{word}\t{' '.join(one.phones)}\n" for word, variants in rest.entries.items() for one in variants]
        (folder / "lexicon.txt").write_text("".join(lines), encoding="utf-8")
        for order in ORDERS:
            command = ["phonetisaurus-train", "--lexicon", "lexicon.txt", "--seq2_del", "--ngram_order", str(order)]
            if not subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode:
                break
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        found: dict[str, tuple[str, ...]] = {}
        for word, phones in theirs.predict(test.entries, folder / "train" / "model.fst", env=environment):
            found.setdefault(word, tuple(phones))
    right = sum(found.get(word) in {one.phones for one in variants} for word, variants in test.entries.items())
    cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    return right / len(test.entries), cpu, order


def row(name: str, unit: str, ours: float, baseline: float | None, named: str, **more: Any) -> dict[str, Any]:
    ratio = round(ours / baseline, 3) if baseline else None
    shown = None if baseline is None else round(baseline, 4)
    return {
        "name": name,
        "unit": unit,
        "ours": round(ours, 4),
        "baseline": shown,
        "baseline_name": named,
        "ratio": ratio,
    } | more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="vi_rules,vi_trained,cmudict_trained")
    only = parser.parse_args().only.split(",")
    rows: list[dict[str, Any]] = []
    if {"vi_rules", "vi_trained"} & set(only):
        if not HANOI.is_file():
            raise SystemExit(f"the Hanoi dictionary is not here: {HANOI.name} of the folder of real speech")
        hanoi = lexicon.read(HANOI)
        rows += [rules(hanoi)] if "vi_rules" in only else []
        rows += trained("vi_trained", hanoi, SEEDS) if "vi_trained" in only else []
    if "cmudict_trained" in only:
        cmudict = lexicon.read(models.path("pocketsphinx-en") / "cmudict-en-us.dict")
        rows += trained("cmudict_trained", cmudict, SEEDS[:1])
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
