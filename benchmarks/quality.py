# SPDX-License-Identifier: Apache-2.0
"""Quality metrics on real speech: seconds of audio per CPU second of one core, beside the package that defines them.

Rows `stoi` and `pesq` compare with pystoi and pesq on noisy speech and its clean reference. Rows `stoi_est` and
`pesq_est` need no reference; their baseline does, and is what they estimate. They also say how well: Pearson's r and
mean absolute error on examples of the split `other` of training/quality_est_splits.toml, LibriSpeech test-other with
kinds of damage that no training had; `speakers` is the same for the split `test`. Row `distillmos` compares with the
package of that name, which pip must not be let to give its dependencies: it would fetch another torch for torchaudio.
Row `distillmos_int8` is the same with `precision: int8`.

    OMP_NUM_THREADS=1 python benchmarks/quality.py [--data FOLDER] [--rows stoi,pesq_est] [--examples 300]

Needs pip install -c constraints.txt -e '.[bench]', and for distillmos also
pip install --no-deps distillmos==0.9.1 xls-r-sqa==0.1.0.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Context
from speechmill.models import path as model_path
from speechmill.quality import Cut

HERE = Path(__file__).resolve()
DATA = HERE.parents[2] / "shared" / "data"
HZ = 16_000
REPEAT = 5
SEEDS = {"test": 20261123, "other": 20261124}  # of training/quality_est.py

Samples = NDArray[np.float32]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--examples", type=int, default=300, help="of each split, for r and errors of the estimates")
    options = parser.parse_args()
    if not (options.data / "librispeech_test_other").is_dir():
        raise SystemExit(f"{options.data}: no folder librispeech_test_other; say --data FOLDER")
    rows = []
    for name in options.rows.split(","):
        rows.append({"name": name, **ROWS[name](options)})
        print(f"{name}: {json.dumps(rows[-1])}", file=sys.stderr)
    print(json.dumps({"rows": rows}))


def stoi(options: argparse.Namespace) -> Row:
    """Ours against pystoi; the difference is taken at 10 kHz, as the two resample differently."""
    import pystoi
    import soxr

    from speechmill.measures.stoi import stoi as measure

    pairs = noisy_speech(options.data)
    row = speeds(pairs, lambda x, y: measure(x, y), lambda x, y: pystoi.stoi(x, y, HZ), "pystoi")
    narrow = [[soxr.resample(side.astype(np.float64), HZ, 10_000) for side in pair] for pair in pairs]
    off = [abs(measure(x, y, sampling_rate=10_000) - pystoi.stoi(x, y, 10_000)) for x, y in narrow]
    return {**row, "max_difference": float(max(off))}


def pesq(options: argparse.Namespace) -> Row:
    """Ours is the package, with a look at what it is given."""
    import pesq as package

    pairs = noisy_speech(options.data)
    score = backend("pesq")
    row = speeds(pairs, lambda x, y: score(y, x), lambda x, y: package.pesq(HZ, x, y, "wb"), "pesq")
    off = [abs(score(y, x) - package.pesq(HZ, x, y, "wb")) for x, y in pairs]
    return {**row, "max_difference": float(max(off))}


def stoi_est(options: argparse.Namespace) -> Row:
    """The estimate beside pystoi, which needs the clean recording."""
    import pystoi

    score = backend("stoi_est")
    baseline = "pystoi, with a reference"
    row = speeds(noisy_speech(options.data), lambda x, y: score(y, x), lambda x, y: pystoi.stoi(x, y, HZ), baseline)
    return {**row, **agreement(options, "stoi")}


def pesq_est(options: argparse.Namespace) -> Row:
    """The estimate beside PESQ itself, which needs the clean recording."""
    import pesq as package

    score = backend("pesq_est")
    baseline = "pesq, with a reference"
    row = speeds(
        noisy_speech(options.data), lambda x, y: score(y, x), lambda x, y: package.pesq(HZ, x, y, "wb"), baseline
    )
    return {**row, **agreement(options, "pesq")}


def distillmos(options: argparse.Namespace, **chosen: str) -> Row:
    """Ours against the package on one thread of torch; each segment as it is and noisy."""
    import contextlib
    import types

    import torch

    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))  # it only reads files with it
    import distillmos as package

    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        model = package.ConvTransformerSQAModel().eval()

    def theirs(_: Samples, noisy: Samples) -> float:
        with torch.no_grad():
            return float(model(torch.from_numpy(noisy)[None]))

    pairs = noisy_speech(options.data)
    score = backend("distillmos", **chosen)
    row = speeds(pairs, lambda x, y: score(y, x), theirs, "distillmos")
    samples = [side for pair in pairs for side in pair]
    off = [abs(score(one, one) - theirs(one, one)) for one in samples]
    return {**row, "max_difference": max(off), "mean_difference": statistics.mean(off)}


ROWS: dict[str, Callable[[argparse.Namespace], Row]] = {
    "stoi": stoi,
    "pesq": pesq,
    "stoi_est": stoi_est,
    "pesq_est": pesq_est,
    "distillmos": distillmos,
    "distillmos_int8": lambda options: distillmos(options, precision="int8"),
}


def backend(name: str, **chosen: str) -> Callable[[Samples, Samples], float]:
    """A metric with one score as a function of a segment and its reference."""
    from speechmill.core import registry

    module = registry.require("quality", name)
    opened = module.Backend(module.Config(**chosen), Context(Path(), model_path))
    (column,) = module.COLUMNS
    return lambda samples, clean: float(opened.score(Cut(samples, reference=lambda: clean))[column])


def noisy_speech(data: Path, count: int = 12) -> list[tuple[Samples, Samples]]:
    """Clean and noisy cuts of test-other: white noise at 0, 10, 20 dB in turn."""
    rng, pairs = np.random.default_rng(0), []
    for number, path in enumerate(sorted((data / "librispeech_test_other").glob("*/*.flac"))[:: 60 // count][:count]):
        clean = decode(path)
        noise = rng.standard_normal(len(clean)) * clean.std() * 10 ** (-(number % 3) / 2)
        pairs.append((clean, (clean + noise).astype(np.float32)))
    return pairs


def decode(path: Path) -> Samples:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def speeds(
    pairs: list[tuple[Samples, Samples]],
    ours: Callable[[Samples, Samples], object],
    theirs: Callable[[Samples, Samples], object],
    name: str,
) -> Row:
    """Medians over interleaved repetitions."""
    audio_s = sum(len(clean) for clean, _ in pairs) / HZ
    took: dict[str, list[float]] = {"ours": [], "baseline": []}
    for function in (ours, theirs):
        function(*pairs[0])
    for _ in range(REPEAT):
        for side, function in (("ours", ours), ("baseline", theirs)):
            started = time.process_time()
            for pair in pairs:
                function(*pair)
            took[side].append(time.process_time() - started)
    fast, slow = (audio_s / statistics.median(took[side]) for side in ("ours", "baseline"))
    return {
        "unit": "audio seconds per CPU second of one core",
        "ours": round(fast, 1),
        "baseline": round(slow, 1),
        "baseline_name": name,
        "ratio": round(fast / slow, 2),
    }


def agreement(options: argparse.Namespace, label: str) -> Row:
    """Pearson's r and mean absolute error against the true score, on what training never had."""
    sys.path.insert(0, str(HERE.parents[1] / "training"))
    from quality_examples import Split
    from speechmill.models.inference import session
    from speechmill.quality import _estimator

    network = session(_estimator.weights())
    column = {"stoi": _estimator.STOI, "pesq": _estimator.PESQ}[label]
    row: Row = {}
    for name, prefix in (("other", ""), ("test", "speakers_")):
        split = Split(options.data, name)
        made = [split.example(SEEDS[name], number) for number in range(options.examples)]
        examples = [example for example in made if example is not None]
        found = [
            float(network.run(None, {"features": example["features"][None].astype(np.float32)})[0][0][column])
            for example in examples
        ]
        true = np.array([example[label] for example in examples])
        row[f"{prefix}r"] = round(float(np.corrcoef(found, true)[0, 1]), 3)
        row[f"{prefix}mae"] = round(float(np.abs(np.array(found) - true).mean()), 4)
        row[f"{prefix}examples"] = len(examples)
    return row


if __name__ == "__main__":
    main()
