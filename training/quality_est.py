# SPDX-License-Identifier: Apache-2.0
"""Train the estimator of STOI and PESQ, and report how well it does on each split.

Makes examples (once; they stay in OUT/examples), trains on `train`, keeps what does best on `validation`, calibrates
there, exports an ONNX file, and scores every split with that file. See README.md beside this for what it needs.

    python training/quality_est.py --data ../shared/data --out /tmp/quality_est
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from quality_network import Calibrated, Estimator

SEEDS = {"train": 20261121, "varied": 20261131, "validation": 20261122, "test": 20261123, "other": 20261124}
COUNTS = {"train": 6_018, "varied": 5_216, "validation": 893, "test": 684, "other": 670}  # a few find no speech
BATCH_FRAMES = 6_000  # 96 s
STOI_UNIT, PESQ_UNIT, STEP_UNIT = 0.15, 0.7, 0.2  # an error so large costs about 1
KEEP = 0.995  # of the averaged weights, at each step
KNOTS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with librispeech_train_speakers and noise_rir")
    parser.add_argument("--out", type=Path, required=True, help="examples, checkpoint, model and figures go here")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--parts", type=int, default=2, help="processes that make examples")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    make_examples(options.data.resolve(), options.out.resolve() / "examples", options.parts)
    network = train(options.out, options.epochs, options.seed)
    lines = calibration(network, load(options.out / "examples", "validation"))
    export(network, lines, options.out / "quality_est.onnx")
    figures = evaluate(options.out)
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def make_examples(data: Path, folder: Path, parts: int) -> None:
    """Make the splits that are not there yet, each in processes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        if not list(folder.glob(f"{name}-*.npz")):
            code = "import sys, quality_examples as q; from pathlib import Path; a = sys.argv; q.make("
            code += "Path(a[1]), Path(a[2]), a[3], int(a[4]), int(a[5]), int(a[6]), int(a[7]))"
            arguments = [str(part) for part in (data, folder, name, COUNTS[name], seed)]
            command = [sys.executable, "-c", code, *arguments]
            here = Path(__file__).parent
            running = [subprocess.Popen([*command, str(part), str(parts)], cwd=here) for part in range(parts)]
            if any(process.wait() for process in running):
                raise SystemExit(f"examples of {name} could not be made; see above")


class Examples:
    """A split in memory: features of all examples one after the other, and their labels."""

    def __init__(self, shards: list[Path]) -> None:
        opened = [np.load(shard) for shard in shards]
        joined = {key: np.concatenate([shard[key] for shard in opened]) for key in opened[0].files}
        self.lengths = joined["lengths"]
        self.features, self.steps, self.known = joined["features"], joined["steps"], joined["known"]
        self.stoi, self.pesq = joined["stoi"].astype(np.float32), joined["pesq"].astype(np.float32)
        self.done = [json.loads(text) for text in joined["done"]]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.step_starts = np.concatenate([[0], np.cumsum(self.lengths // 4)])

    def one(self, number: int) -> np.ndarray:
        return self.features[self.starts[number] : self.starts[number + 1]]

    def batch(self, numbers: np.ndarray) -> dict[str, Tensor]:
        """Examples of about the same length, all cut to the shortest."""
        length = int(self.lengths[numbers].min()) // 4 * 4
        frames = self.starts[numbers][:, None] + np.arange(length)
        steps = self.step_starts[numbers][:, None] + np.arange(length // 4)
        arrays = {
            "features": self.features[frames],
            "steps": self.steps[steps],
            "known": self.known[steps],
            "stoi": self.stoi[numbers],
            "pesq": self.pesq[numbers],
        }
        return {key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()}

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Each example once, with others about as long, in random order."""
        order = np.argsort(self.lengths * np.exp(0.02 * rng.standard_normal(len(self.lengths))))
        groups, group = [], []
        for number in order:
            group.append(number)
            if len(group) * self.lengths[number] >= BATCH_FRAMES:
                groups.append(np.array(group))
                group = []
        rng.shuffle(groups)
        return groups


def load(folder: Path, *names: str) -> Examples:
    return Examples([shard for name in names for shard in sorted(folder.glob(f"{name}-*.npz"))])


def train(out: Path, epochs: int, seed: int) -> Estimator:
    """Return the averaged weights of the epoch that did best on validation."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    examples, validation = load(out / "examples", "train", "varied"), load(out / "examples", "validation")
    sample = examples.features[:: max(1, len(examples.features) // 100_000)].astype(np.float32)
    network = Estimator(sample.mean(0), sample.std(0))
    average, best, best_score = copy.deepcopy(network), copy.deepcopy(network), -np.inf
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    rounds = epochs * (len(examples.batches(rng)) + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=rounds, pct_start=0.15)
    for epoch in range(epochs):
        started, losses = time.process_time(), []
        network.train()
        for numbers in examples.batches(rng):
            batch = examples.batch(numbers)
            loss = cost(network(hide(vary(batch["features"], rng), network.mean, rng)), batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            follow(average, network)
            losses.append(loss.item())
        figures = agreement(*predict(average, validation), validation)
        score = figures["stoi"]["r"] + figures["pesq"]["r"]
        if score > best_score:
            best, best_score = copy.deepcopy(average), score
            torch.save(best.state_dict(), out / "best.pt")
        print(epoch, f"{np.mean(losses):.4f}", figures, f"{time.process_time() - started:.0f} s", flush=True)
    return best


def vary(features: Tensor, rng: np.random.Generator) -> Tensor:
    """Another loudness and another microphone: neither changes what a cut should score, much."""
    count, _, bands = features.shape
    points = rng.normal(0, 0.25, (count, 6))
    curves = np.stack([np.interp(np.linspace(0, 5, bands), np.arange(6), curve) for curve in points])
    offset = rng.normal(0, 0.15, (count, 1)) + curves
    return features + torch.from_numpy(offset.astype(np.float32))[:, None]


def hide(features: Tensor, mean: Tensor, rng: np.random.Generator) -> Tensor:
    """Put the average in place of up to eight neighbouring bands in half of the examples: no band may decide alone."""
    count, _, bands = features.shape
    first = rng.integers(0, bands, count)[:, None]
    number, width = np.arange(bands), rng.integers(1, 9, count)[:, None]
    hidden = (number >= first) & (number < first + width) & (rng.random(count) < 0.5)[:, None]
    return torch.where(torch.from_numpy(hidden)[:, None], mean, features)


def cost(found: tuple[Tensor, Tensor, Tensor], batch: dict[str, Tensor]) -> Tensor:
    stoi, pesq, steps = found
    whole = functional.smooth_l1_loss(stoi / STOI_UNIT, batch["stoi"] / STOI_UNIT, beta=0.3)
    whole = whole + functional.smooth_l1_loss(pesq / PESQ_UNIT, batch["pesq"] / PESQ_UNIT, beta=0.3)
    off = ((steps - batch["steps"]) / STEP_UNIT).square() * batch["known"]
    return whole + 0.3 * off.sum() / batch["known"].sum().clamp(min=1)


@torch.no_grad()
def follow(average: Estimator, network: Estimator) -> None:
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - KEEP)
        else:
            kept.copy_(new)


@torch.no_grad()
def predict(network: Estimator, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Score each example alone, as the pipeline does."""
    network.eval()
    found = [
        [score.item() for score in network(torch.from_numpy(examples.one(i).astype(np.float32))[None])[:2]]
        for i in range(len(examples.lengths))
    ]
    stoi, pesq = np.array(found).T
    return stoi, pesq


def agreement(stoi: np.ndarray, pesq: np.ndarray, examples: Examples) -> dict[str, Any]:
    """Pearson's r and the mean absolute error of both scores."""
    return {
        name: {
            "r": round(float(np.corrcoef(found, true)[0, 1]), 3),
            "mae": round(float(np.abs(found - true).mean()), 4),
        }
        for name, found, true in (("stoi", stoi, examples.stoi), ("pesq", pesq, examples.pesq))
    }


def calibration(network: Estimator, validation: Examples) -> list[tuple[np.ndarray, np.ndarray]]:
    """A rising broken line for each score, from what the network says to what is true on average."""
    found = predict(network, validation)
    return [line(*pair) for pair in zip(found, (validation.stoi, validation.pesq), strict=True)]


def line(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of equal shares of the examples, neighbours pooled until they rise (pool adjacent violators)."""
    order = np.argsort(found)
    pools = [(found[part].mean(), true[part].mean(), 1) for part in np.array_split(order, KNOTS)]
    rising: list[tuple[float, float, int]] = []
    for pool in pools:
        rising.append(pool)
        while len(rising) > 1 and rising[-1][1] <= rising[-2][1]:
            (x1, y1, n1), (x2, y2, n2) = rising[-2:]
            rising[-2:] = [((x1 * n1 + x2 * n2) / (n1 + n2), (y1 * n1 + y2 * n2) / (n1 + n2), n1 + n2)]
    if len(rising) == 1:  # it says nothing yet, as after a trial on a few examples
        return np.array([0.0, 1.0]), np.array([0.0, 1.0])
    return np.array([pool[0] for pool in rising]), np.array([pool[1] for pool in rising])


def export(network: Estimator, lines: list[tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Write the calibrated network for onnxruntime: `features` (N, T, 48) -> `scores` (N, 2)."""
    model = Calibrated(network, lines).eval()
    torch.onnx.export(
        model,
        (torch.zeros(2, 200, 48),),
        str(path),
        input_names=["features"],
        output_names=["scores"],
        dynamic_axes={"features": {0: "N", 1: "T"}, "scores": {0: "N"}},
        opset_version=17,
        dynamo=False,
    )


def evaluate(out: Path) -> dict[str, Any]:
    """Score every split with the exported file: all, by kind of damage, by length."""
    from speechmill.models.inference import session

    network = session(out / "quality_est.onnx")
    figures = {}
    for name in ("validation", "test", "other"):
        examples = load(out / "examples", name)
        found = np.array(
            [
                network.run(None, {"features": examples.one(i).astype(np.float32)[None]})[0][0]
                for i in range(len(examples.lengths))
            ]
        )
        figures[name] = {label: part(found, examples, chosen) for label, chosen in slices(examples).items()}
        print(name, json.dumps(figures[name]["all"]), flush=True)
    return figures


def slices(examples: Examples) -> dict[str, np.ndarray]:
    """Which examples to look at together."""
    families = sorted({name for done in examples.done for name in done["noise"] + done["processing"]})
    seconds = np.array([done["seconds"] for done in examples.done])
    chosen = {"all": np.ones(len(seconds), np.bool_)}
    chosen |= {f: np.array([f in done["noise"] + done["processing"] for done in examples.done]) for f in families}
    chosen["room"] = np.array([done["room"] for done in examples.done])
    chosen["nothing done"] = np.array([not (d["noise"] or d["processing"] or d["room"]) for d in examples.done])
    return chosen | {"under 2 s": seconds < 2, "2 to 5 s": (seconds >= 2) & (seconds < 5), "over 5 s": seconds >= 5}


def part(found: np.ndarray, examples: Examples, chosen: np.ndarray) -> dict[str, Any]:
    view = copy.copy(examples)
    view.stoi, view.pesq = examples.stoi[chosen], examples.pesq[chosen]
    return {"count": int(chosen.sum()), **agreement(*found[chosen].T, view)}


if __name__ == "__main__":
    main()
