# SPDX-License-Identifier: Apache-2.0
"""Networks on a real Triton server, asked by several clients at once, against the same backends in the clients.

Rows `silero`, `dvector` and `dnsmos`: 60 utterances of LibriSpeech test-other, shared by the clients, each a process
with one connection. `ours` counts every CPU second, of clients and server; `baseline` is the same clients with
`device: cpu`, which run some networks in ways of their own that a server doesn't have. `same_graph` is what the server
runs, onnxruntime on the served graph, in one process. `client` counts the clients alone, so what a server elsewhere
leaves to them. `x_real_time` is by the wall clock, all on this one machine. `rows_per_batch`: how many rows (for
silero: recordings) the server put together. Needs a server: make setup-triton.

    OMP_NUM_THREADS=1 python benchmarks/serving.py [--data FOLDER] [--clients 4] [--instances 1] [--repeat 3]
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from speechmill import models
from speechmill.core.stage import Context, Samples
from speechmill.core.types import Interval, Utterance
from speechmill.diarize import dvector
from speechmill.diarize._voice_encoder import WINDOW_FRAMES, mel_spectrogram
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.models.inference import session
from speechmill.quality import Cut, dnsmos
from speechmill.serving import tritonserver
from speechmill.serving.health import health
from speechmill.serving.networks import Network, served
from speechmill.serving.repository import Options, write
from speechmill.vad import silero

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROWS = {"silero": "silero_vad", "dvector": "dvector", "dnsmos": "dnsmos_early"}
HZ = 16_000
Answers = list[list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--instances", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--rows", default=",".join(ROWS))
    options = parser.parse_args()
    files = sorted((options.data / "librispeech_test_other").glob("*/*.flac"))
    if not files:
        raise SystemExit(f"no librispeech_test_other in {options.data}: real speech is needed; name it with --data")
    files = files[: options.files]
    shares = [files[i :: options.clients] for i in range(options.clients)]
    networks = {network.name: network for network in served(models.path)}
    with tempfile.TemporaryDirectory() as folder:
        repository, port = Path(folder) / "repository", tritonserver.free_port()
        write(repository, list(networks.values()), Options(instances=options.instances))
        with (
            tritonserver.running(repository, port=port, log=Path(folder) / "log") as process,
            ProcessPoolExecutor(options.clients, multiprocessing.get_context("spawn")) as pool,
        ):
            bench = Bench(pool, process.pid, f"triton://127.0.0.1:{port}", shares, networks, options.repeat)
            rows = [bench.row(name) for name in options.rows.split(",")]
    print(json.dumps({"rows": rows}))


class Bench:
    """Clients, a server, and what they share the work by."""

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        server: int,
        device: str,
        shares: Sequence[Sequence[Path]],
        networks: Mapping[str, Network],
        repeat: int,
    ) -> None:
        self._pool, self._device, self._shares, self._repeat = pool, device, shares, repeat
        self._server, self._networks = psutil.Process(server), networks

    def row(self, name: str) -> dict[str, Any]:
        """Measure one row: medians over rounds, in each of which server and clients alone work once."""
        audio_s = sum(len(load(path)) for share in self._shares for path in share) / HZ
        network = self._networks[ROWS[name]]
        rounds = []
        for _ in range(self._repeat + 1):  # the first warms up
            before = health(self._device, [network])[0]
            there, here = self._together(name, self._device), self._together(name, "cpu")
            rounds.append((there, here))
        after = health(self._device, [network])[0]
        there, here = ([one[i] for one in rounds[1:]] for i in (0, 1))
        ours, baseline = (audio_s / median(one["cpu"] for one in each) for each in (there, here))
        difference = max(
            float(np.abs(np.subtract(one, other)).max())
            for one, other in zip(there[0]["answers"], here[0]["answers"], strict=True)
        )
        measured = {
            "name": name,
            "unit": "audio seconds per CPU second, of clients and server",
            "ours": round(ours, 1),
            "baseline": round(baseline, 1),
            "baseline_name": "in the clients, device: cpu",
            "ratio": round(ours / baseline, 3),
            "max_difference": difference,
            "same_graph": round(audio_s / same_graph(name, network, self._shares), 1),
            "client": round(audio_s / median(one["client"] for one in there), 1),
            "x_real_time": round(audio_s / median(one["wall"] for one in there), 1),
            "x_real_time_baseline": round(audio_s / median(one["wall"] for one in here), 1),
            "rows_per_batch": round((after.rows - before.rows) / (after.batches - before.batches), 2),
            "clients": len(self._shares),
            "audio_s": round(audio_s, 1),
        }
        print(json.dumps(measured), file=sys.stderr)
        return measured

    def _together(self, name: str, device: str) -> dict[str, Any]:
        """Let all clients do their share at once; returns seconds and answers."""
        served_before, start = self._served_cpu(), time.perf_counter()
        done = list(self._pool.map(work, *zip(*((name, device, share) for share in self._shares), strict=True)))
        wall, client = time.perf_counter() - start, sum(cpu for cpu, _ in done)
        cpu = client + self._served_cpu() - served_before
        return {"wall": wall, "client": client, "cpu": cpu, "answers": [answer for _, each in done for answer in each]}

    def _served_cpu(self) -> float:
        every = (self._server, *self._server.children(recursive=True))
        return float(sum(sum(one.cpu_times()[:2]) for one in every))


def work(name: str, device: str, share: Sequence[Path]) -> tuple[float, Answers]:
    """One client's share; returns its CPU seconds and what it found, file by file."""
    backend, clips = opened(name, device), [load(path) for path in share]
    start = time.process_time()
    answers = [answer(name, backend, clip) for clip in clips]
    return time.process_time() - start, answers


def answer(name: str, backend: Any, clip: Samples) -> list[float]:
    """Probabilities, vectors or scores of one clip."""
    if name == "silero":
        return list(backend.probabilities(ArrayAudio([clip]), 0))
    if name == "dvector":
        return list(backend._encoder.embed(windows(clip)).ravel())
    seconds = len(clip) / HZ
    cut = Cut(clip, segment=Utterance("clip", 0.0, seconds), speech=[Interval(0.0, seconds)])
    return list(backend.score(cut).values())


def windows(clip: Samples) -> Samples:
    """Mel windows of 1.6 s, half of each shared with the next."""
    mels = mel_spectrogram(clip)
    framed = np.lib.stride_tricks.sliding_window_view(mels, WINDOW_FRAMES, axis=0)[:: WINDOW_FRAMES // 2]
    return np.ascontiguousarray(framed.transpose(0, 2, 1))


def same_graph(name: str, network: Network, shares: Sequence[Sequence[Path]]) -> float:
    """CPU seconds of onnxruntime alone on what the clients send."""
    opened_here = session(network.model, bounded=True)
    spent = 0.0

    class Counting:
        def run(self, outputs: Any, feeds: Any) -> Any:
            nonlocal spent
            start = time.process_time()
            try:
                return opened_here.run(outputs, feeds)
            finally:
                spent += time.process_time() - start

    backend = backend_of(name, "triton://nowhere")
    replace(name, backend, Counting())
    for share in shares:
        for path in share:
            answer(name, backend, load(path))
    return spent


def replace(name: str, backend: Any, opened_here: Any) -> None:
    """Put a session in the place of the client."""
    place = {"silero": "_network", "dvector": "_encoder", "dnsmos": "_network"}[name]
    holder = getattr(backend, place)
    if name == "dnsmos":
        holder = holder._early
    holder._session = opened_here


@functools.cache
def opened(name: str, device: str) -> Any:
    """A backend, opened once in each process."""
    return backend_of(name, device)


def backend_of(name: str, device: str) -> Any:
    module = {"silero": silero, "dvector": dvector, "dnsmos": dnsmos}[name]
    return module.Backend(module.Config(), Context(Path(), models.path, device))


@functools.cache
def load(path: Path) -> Samples:
    """Samples of one file; decoding isn't measured."""
    samples, _ = read_audio(path)
    return np.ascontiguousarray(samples[0] if samples.ndim == 2 else samples, np.float32)


def median(values: Any) -> float:
    return float(statistics.median(values))


if __name__ == "__main__":
    main()
