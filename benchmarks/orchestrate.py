# SPDX-License-Identifier: Apache-2.0
"""What engines and orchestrators take for themselves, in microseconds a recording.

`local`, `dask`, `ray`: recordings without any work go through an engine on this machine; from the first answer to the
last. `exec`, `airflow_local`, `airflow_celery`, `kfp_local`: the label flow of a workspace in which everything is done,
so that nothing is left but to start tasks and to see that. It is run for few shards and for many; the difference is
what a shard takes: five mapped tasks, two at once (`exec`: the same commands by hand, one after another). A shard is an
hour of audio: 60 recordings of a minute. Airflow is a real one with PostgreSQL, as scripts/platform starts it.

The baseline is the work of the default job (recognition, diarization, DNSMOS, alignment) on a recording of a minute,
measured in the same run; `ratio` is the share of that. Goals: `local` 200 microseconds; all shares 0.02 at most.

    python benchmarks/orchestrate.py [--rows local,dask,ray,exec,kfp_local,airflow_local,airflow_celery] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from speechmill import api
from speechmill.core.types import Source
from speechmill.engines import make
from speechmill.orchestrators import _command
from speechmill.pipeline.flow import flow_of
from speechmill.pipeline.plan import Plan, nodes
from speechmill.pipeline.planned import plan_run
from speechmill.pipeline.run import Options
from speechmill.pipeline.spec import load, resolve
from speechmill.pipeline.worker import Outcome, Task
from speechmill.store.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "librispeech_test_other"
ROWS = "local,dask,ray,exec,kfp_local,airflow_local,airflow_celery"
WORKERS = 2
NOTHINGS = {"local": 20_000, "dask": 4_000, "ray": 4_000}  # recordings without work
SHARD = 500  # recordings in a shard where they are short
FEW, MANY = 1, 7  # shards
HOUR = 60  # recordings in an hour of audio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=ROWS)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=3, help="of the engines")
    options = parser.parse_args()
    asked = options.rows.split(",")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        work_us = work(options.data, root / "work") * 1e6
        rows = []
        done = workspace(root / "done") if set(asked) - set(NOTHINGS) else None
        for name in asked:
            if name in NOTHINGS:
                times = [through(name, root / f"{name}{turn}") for turn in range(options.repeat)]
                rows.append(row(name, statistics.median(times) * 1e6, work_us))
            elif done is not None:
                rows.append(row(name, a_shard(name, done) / HOUR * 1e6, work_us))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"rows": rows}))


def row(name: str, ours: float, work_us: float) -> dict[str, Any]:
    return {
        "name": name,
        "unit": "us a recording",
        "ours": round(ours, 1),
        "baseline": round(work_us, 1),
        "baseline_name": "CPU time of the default job on a minute of speech",
        "ratio": round(ours / work_us, 6),
    }


def work(data: Path, store: Path) -> float:
    """CPU seconds of the default job, given no text, for a minute of speech."""
    settings = {"language": "en", "transcript": ["pocketsphinx"], "export": []}
    summary = api.run(data, store, settings=settings, workers=WORKERS, options=Options(limit=20))
    return sum(count.cpu_s for count in summary.stages.values()) / summary.audio_s * 60


# -- engines


def through(name: str, folder: Path) -> float:
    """Seconds a recording through an engine, without the engine's start."""
    folder.mkdir()
    raw = {"name": "nothing", "sources": [{"local": {"path": str(folder)}}], "store": str(folder / "workspace")}
    corpus = resolve({**raw, "language": "en", "transcript": ["sidecar"], "align": None, "quality": []}, folder)
    place = Workspace.create(corpus.store)
    (place.runs / "nothing").mkdir(parents=True)
    plan = Plan("nothing", corpus.raw, str(folder), str(place.root), nodes(corpus))
    answers = make(name, WORKERS, 1024).map(plan, nothings(NOTHINGS[name]))
    assert isinstance(next(answers)[1], Outcome)
    began = time.perf_counter()
    count = sum(isinstance(outcome, Outcome) for _task, outcome in answers)
    assert count == NOTHINGS[name] - 1
    return (time.perf_counter() - began) / count


def nothings(number: int) -> Iterator[Task]:
    for i in range(number):
        yield Task(Source(f"r{i}", f"file:///nowhere/{i}.wav", key=f"{i:032x}"), (), {}, "00000", 60.0, 60.0)


# -- orchestrators


def workspace(folder: Path) -> Path:
    """Make a corpus of short recordings, and do all that there is to do. Returns its corpus file."""
    (folder / "audio").mkdir(parents=True)
    for i in range(MANY * SHARD):
        with wave.open(str(folder / "audio" / f"{i:05d}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(i.to_bytes(4, "little") * 800)
        (folder / "audio" / f"{i:05d}.txt").write_text("nothing")
    program = Path(sys.executable).with_name("speechmill")
    raw = {
        "name": "done",
        "language": "en",
        "sources": [{"local": {"path": str(folder / "audio")}}],
        "transcript": ["sidecar"],
        "quality": ["snr"],
        "align": None,
        "export": [],
        "store": str(folder / "workspace"),
        "orchestrate": {"command": str(program), "parallel": WORKERS, "cache": False},
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(raw))
    api.run(folder / "corpus.yaml", workers=WORKERS, options=Options(report_audio=False))
    return folder / "corpus.yaml"


def a_shard(name: str, corpus: Path) -> float:
    """Seconds that a shard takes: the difference between few and many."""
    kinds: dict[str, Callable[[Path], tuple[float, float]]] = {
        "exec": by_hand,
        "kfp_local": kubeflow,
        "airflow_local": lambda path: airflow(path, "local"),
        "airflow_celery": lambda path: airflow(path, "celery"),
    }
    few, many = kinds[name](corpus)
    return (many - few) / (MANY - FEW)


def by_hand(path: Path) -> tuple[float, float]:
    corpus = load(path)
    times = []
    for shards in (FEW, MANY):
        planned = plan_run(corpus, limit=shards * SHARD)
        assert planned.shards == shards
        began = time.perf_counter()
        for step in flow_of(corpus, "label").steps:
            if not step.over_shards or (step.when and bool(getattr(planned.facts, step.when.fact)) != step.when.any):
                continue
            for shard in planned.ranges:
                words = _command.fill_in(step.command, {"run": planned.run, "shards": shard})
                _command.run([corpus.orchestrate.command], words)
        times.append(time.perf_counter() - began)
    return times[0], times[1]


def kubeflow(path: Path) -> tuple[float, float]:
    """Kubeflow Pipelines' local runner, which does one task at a time."""
    times = []
    for shards in (FEW, MANY):
        folder = path.parent / f"kubeflow{shards}"
        few = path.with_name(f"corpus{shards}.yaml")
        raw = yaml.safe_load(path.read_text())
        raw["sources"] = [{"local": {"path": str(some(path.parent / "audio", shards * SHARD))}}]
        few.write_text(yaml.safe_dump({**raw, "store": str(path.parent / f"workspace{shards}")}))
        api.run(few, workers=WORKERS, options=Options(report_audio=False))
        script = ROOT / "tests" / "orchestrators" / "kubeflow" / "run_locally.py"
        python = ROOT / ".venv-pipelines" / "bin" / "python"
        began = time.perf_counter()
        subprocess.run([python, script, few, "label", folder], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return times[0], times[1]


def some(audio: Path, number: int) -> Path:
    """Return a folder with the first recordings of another."""
    folder = audio.with_name(f"audio{number}")
    folder.mkdir()
    for path in sorted(audio.iterdir())[: 2 * number]:
        shutil.copy2(path, folder)
    return folder


def airflow(path: Path, executor: str) -> tuple[float, float]:
    sys.path.append(str(ROOT))
    from tests.services.airflow import running

    dags = path.parent / f"dags_{executor}"
    subprocess.run([sys.executable, "-m", "speechmill", "render", "airflow", str(path), "--out", str(dags)], check=True)
    times = []
    with running(dags, executor=executor) as platform:
        for name, pool in json.loads((dags / "done_pools.json").read_text()).items():
            platform.ask("POST", "pools", {"name": name, "slots": pool["slots"]}, user="admin")
        platform.unpause("done_label")
        for shards in (FEW, FEW, MANY):  # the first warms up
            run = platform.trigger("done_label", {"limit": shards * SHARD})
            platform.wait("done_label", run, timeout_s=900)
            found = platform.ask("GET", f"dags/done_label/dagRuns/{run}")
            times.append(_seconds(found["end_date"]) - _seconds(found["start_date"]))
    return times[1], times[2]


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


if __name__ == "__main__":
    main()
