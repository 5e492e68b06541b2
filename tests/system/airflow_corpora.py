# SPDX-License-Identifier: Apache-2.0
"""Small corpora for Airflow, each with what one test does to it, and a server that hears what Airflow tells."""

from __future__ import annotations

import csv
import datetime
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import soundfile
import yaml
from numpy.typing import NDArray

from speechmill.demo.espeak import Line, speak

CLIPS = 8  # of which recognising takes a second each: time to kill something
CLIP_S = (2.5, 4.5)
TEXTS = (
    "our library opens every morning and closes late every evening because many students work there",
    "good collections always say where every single recording came from and who may share it",
    "she planted three apple trees behind her house and watered them until summer ended",
)
_LAST_MONTH = datetime.date.today().replace(day=1) - datetime.timedelta(days=1)
DATES = {_LAST_MONTH.replace(day=day).isoformat(): day for day in (1, 2, 3)}  # and how many recordings are of it
# Once a day on these days only, so that no other run is due when the DAG is let go.
CRON = f"0 0 1-4 {_LAST_MONTH.month} *"


def real_clips(folder: Path, shared: Path) -> None:
    """Fill a folder with speech: of LibriSpeech where it is at hand, else spoken by a machine."""
    folder.mkdir(parents=True)
    table = shared / "index.tsv"
    if table.exists():
        with table.open(encoding="utf-8", newline="") as file:
            listed = [row for row in csv.DictReader(file, delimiter="\t") if row["file"].startswith("librispeech_test")]
        fitting = [row["file"] for row in listed if CLIP_S[0] <= float(row["seconds"]) <= CLIP_S[1]]
        for name in fitting[:CLIPS]:
            shutil.copy(shared / name, folder)
        if len(fitting) >= CLIPS:
            return
    lines = [Line(TEXTS[number % 3], "en-us", 130 + 5 * number) for number in range(CLIPS)]
    for number, spoken in enumerate(speak(lines)):
        soundfile.write(folder / f"spoken{number}.wav", spoken.samples, spoken.sampling_rate)


def talks(folder: Path) -> None:
    """Fill a folder with recordings for a replica of a platform, each with the captions that people would write."""
    pause_s = 0.5
    for number, spoken in enumerate(speak([Line(text, "en-us", 140) for text in TEXTS])):
        silence = np.zeros(round(pause_s * spoken.sampling_rate), np.float32)
        samples = np.concatenate([silence, spoken.samples, silence])
        _write_m4a(folder / f"talk{number}.m4a", samples, spoken.sampling_rate)
        end = pause_s + len(spoken.pcm) / 2 / spoken.sampling_rate
        text = f"WEBVTT\n\n00:00.400 --> 00:{end:06.3f}\n{TEXTS[number]}\n"
        (folder / f"talk{number}.vtt").write_text(text, encoding="utf-8")


def _write_m4a(path: Path, samples: NDArray[np.float32], sampling_rate: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=sampling_rate, layout="mono")
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = sampling_rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_corpus(folder: Path, name: str, orchestrate: dict[str, Any] | None = None, **fields: Any) -> Path:
    """Write a corpus file and return it. Nothing is asked of it but speech, text and segments, unless `fields` do."""
    folder.mkdir(parents=True, exist_ok=True)
    how = {"retry_s": 1.0, "retry_max_s": 2.0, "parallel": 2, "retries": 2, **(orchestrate or {})}
    written = {
        "name": name,
        "language": "en",
        "transcript": ["pocketsphinx"],
        "diarize": None,
        "quality": [],
        "align": None,
        "filter": "none",
        "export": ["jsonl"],
        "store": "workspace",
        "orchestrate": how,
        **fields,
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    return folder / "corpus.yaml"


def dated(folder: Path, make_tone: Callable[..., None]) -> None:
    """Fill a folder with tones that have a text and a date each."""
    folder.mkdir(parents=True)
    lines = ["path\tdate"]
    for date, count in DATES.items():
        for number in range(count):
            name = f"{date}-{number}"
            make_tone(folder / f"{name}.wav", 1.0 + 0.1 * number, 200.0 + 10 * len(lines))
            (folder / f"{name}.txt").write_text("a tone", encoding="utf-8")
            lines.append(f"{name}.wav\t{date}")
    (folder / "recordings.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows(workspace: Path, name: str) -> list[dict[str, Any]]:
    """Read a table of a dataset."""
    found: list[dict[str, Any]] = pq.read_table(workspace / "dataset" / f"{name}.parquet").to_pylist(
        maps_as_pydicts="strict"
    )
    return found


def events(folder: Path, stage: str) -> list[dict[str, Any]]:
    """Return what has been done in a stage so far, by whoever wrote it down."""
    found = []
    for path in (folder / "workspace/runs").glob("*/events-*.jsonl"):
        whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
        found += [event for event in map(json.loads, whole.splitlines()) if event["stage"] == stage]
    return found


def parts(folder: Path, stage: str) -> list[Path]:
    """Return where results of a stage are kept. They get there together, up to two seconds after their events."""
    return list((folder / "workspace/stages").glob(f"{stage}-*/*/[!.]*.parquet"))


class Calls:
    """What a webhook was told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: list[dict[str, Any]] = []

    def wait_for(self, event: str, dag: str, timeout_s: float = 200.0) -> dict[str, Any]:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for one in list(self.told):
                if (one["event"], one["dag"]) == (event, dag):
                    return one
            time.sleep(0.2)
        raise AssertionError(f"nobody was told that {dag} is {event}; told: {self.told}")


@contextmanager
def listening() -> Iterator[Calls]:
    """Run a webhook's server."""
    calls = Calls(0)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    calls.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
