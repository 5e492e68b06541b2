# SPDX-License-Identifier: Apache-2.0
"""A real Triton server gives what a worker computes itself, whoever else asks at the same time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.services.ports import free_port

from speechmill import models
from speechmill.core.errors import ItemError, ServerUnavailable
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Utterance
from speechmill.diarize import dvector
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.models import triton as client
from speechmill.models.inference import session
from speechmill.quality import Cut, dnsmos
from speechmill.serving import tritonserver
from speechmill.serving.health import READY, health
from speechmill.serving.repository import Options, write
from speechmill.vad import silero

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def talk(shared_data):
    """75 s of a telephone call: more than one block for the VAD."""
    samples, sampling_rate = read_audio(shared_data / "two_speakers" / "sample.flac")
    assert sampling_rate == 16_000
    mono = samples.mean(axis=0) if samples.ndim == 2 else samples
    return np.tile(mono.astype(np.float32), 3)[: 75 * 16_000]


def backend(module, device="cpu"):
    return module.Backend(module.Config(), Context(Path(), models.path, device))


def noise(seed, *shape):
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def feeds_of(network, seed, free):
    """An input of two rows, or of one recording; what varies is `free` long."""
    rows = (2,) if network.by_rows else ()
    shapes = {one.name: [*rows, *(free if size == -1 else size for size in one.dims)] for one in network.inputs}
    return {name: np.abs(noise(seed, *shape)) for name, shape in shapes.items()}


def apart(found, wanted):
    assert [one.shape for one in found] == [one.shape for one in wanted]
    return max(float(np.abs(one - other).max()) for one, other in zip(found, wanted, strict=True))


def test_every_network_gives_what_it_gives_here_though_many_ask_at_once(triton, networks):
    for network in networks.values():
        here = session(network.model)
        given = [feeds_of(network, seed, free=24 + 8 * (seed % 3)) for seed in range(12)]
        served = session(network.model, name=network.name, device=triton)
        with ThreadPoolExecutor(6) as clients:
            answers = list(clients.map(lambda feeds, served=served: served.run(None, feeds), given))
        for feeds, answer in zip(given, answers, strict=True):
            assert apart(answer, here.run(None, feeds)) < 1e-5, network.name


def test_requests_were_put_together(triton, networks):
    session(networks["dvector"].model)  # the test before this one has asked; alone, this one asks itself
    served = session(networks["dvector"].model, name="dvector", device=triton)
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda seed: served.run(None, feeds_of(networks["dvector"], seed, 0)), range(8)))
    states = {one.network: one for one in health(triton, list(networks.values()))}
    assert {one.state for one in states.values()} == {READY}
    assert states["dvector"].rows >= 16
    assert states["dvector"].batches < states["dvector"].rows / 2  # a request has two rows


def test_silero_finds_the_same_speech(triton, talk):
    audio = ArrayAudio([talk])
    here, there = backend(silero), backend(silero, triton)
    probabilities = here.probabilities(audio, 0)
    assert 0.4 < np.mean(probabilities > 0.5) < 0.95
    assert np.abs(there.probabilities(audio, 0) - probabilities).max() < 1e-4
    assert there.speech(audio, 0) == here.speech(audio, 0)


def test_dvectors_and_turns_are_the_same(triton, talk):
    audio = ArrayAudio([talk[: 20 * 16_000]])
    speech = backend(silero).speech(audio, 0)
    here, there = backend(dvector), backend(dvector, triton)
    mels = np.abs(noise(1, 70, 160, 40))
    assert np.abs(there._encoder.embed(mels) - here._encoder.embed(mels)).max() < 1e-5
    assert there.diarize(audio, speech, None) == here.diarize(audio, speech, None)


@pytest.mark.parametrize("seconds", [1.3, 14.0])
def test_dnsmos_is_the_same(triton, talk, seconds):
    samples = talk[: int(seconds * 16_000)]
    cut = Cut(samples, segment=Utterance("a", 0.0, seconds), speech=[Interval(0.0, seconds)])
    here, there = backend(dnsmos).score(cut), backend(dnsmos, triton).score(cut)
    assert here.keys() == there.keys() == {"dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"}
    assert all(abs(here[name] - there[name]) < 1e-4 for name in here)


def test_a_run_without_its_server_stops_with_2_and_goes_on_when_there_is_one(
    triton, networks, speechmill, tone_corpus, tmp_path
):
    audio = tone_corpus({"one": "hello", "two": "there"})
    settings = ("--language", "en", "--transcript", "sidecar", "--quality", "dnsmos", "--align", "none")

    def run(name, device, **options):
        out = tmp_path / name
        device = ("--device", device, "--workers", 1, "--no-audio")
        return out, speechmill("run", audio, *settings, *device, "--export", "jsonl", "--out", out, **options).stderr

    _, said = run("there", f"triton://127.0.0.1:{free_port()}?patience_s=0.1", expect=2)
    assert "no server answered for silero_vad" in said
    assert "speechmill serve run" in said
    before = _rows(triton, networks)
    there, here = run("there", triton)[0], run("here", "cpu")[0]
    assert all(_rows(triton, networks)[name] > count for name, count in before.items())
    for one, other in zip(_segments(there), _segments(here), strict=True):
        scores, wanted = one.pop("scores"), other.pop("scores")
        assert one == other
        assert scores.keys() == wanted.keys() == {"dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"}
        assert all(abs(scores[name] - wanted[name]) < 1e-4 for name in scores)


def _rows(device, networks):
    asked = [networks["silero_vad"], networks["dnsmos_early"]]
    return {one.network: one.rows for one in health(device, asked)}


def _segments(out):
    (path,) = (out / "exports" / "jsonl").rglob("segments-*.jsonl")
    found = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert len(found) == 2
    return found


@pytest.mark.parametrize(
    ("name", "bad"),
    [("dvector", (2, 160, 41)), ("dnsmos_early", (2, 0, 161))],
    ids=["refused by Triton", "refused by the network, after it was put together with others"],
)
def test_an_input_that_cannot_be_worked_with_is_this_clients_failure_alone(triton, networks, name, bad):
    network = networks[name]
    served = session(network.model, name=name, device=triton)
    good = feeds_of(network, 1, 24)

    def ask(feeds):
        try:
            return served.run(None, feeds)
        except ItemError as error:
            return error.reason

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(ask, [good, dict.fromkeys(good, noise(1, *bad)), good, good]))
    assert answers[1] == "inference-failed"
    assert all(apart(answers[i], answers[0]) < 1e-5 for i in (2, 3))


def test_a_full_queue_is_waited_for_and_a_killed_server_gives_way_to_another(
    program, triton, networks, speechmill, tmp_path, monkeypatch
):
    network, port = networks["dvector"], free_port()
    write(tmp_path / "one", [network], Options(max_queue=1, max_batch=2, queue_delay_ms=0))
    given = [feeds_of(network, seed, 0) for seed in range(24)]
    rounds, counted = client.rounds, []
    monkeypatch.setattr(client, "rounds", lambda patience_s: (counted.append(i) or i for i in rounds(patience_s)))
    here = session(network.model)
    with tritonserver.running(tmp_path / "one", program=program, port=port, log=tmp_path / "log") as process:
        device = f"triton://127.0.0.1:{port}"
        alone = session(network.model, name="dvector", device=f"{device}?in_flight=12&patience_s=0.5")
        with ThreadPoolExecutor(12) as clients:
            patient = session(network.model, name="dvector", device=f"{device}?in_flight=12")
            answers = list(clients.map(lambda feeds: patient.run(None, feeds), given))
        assert all(apart(one, here.run(None, feeds)) < 1e-5 for one, feeds in zip(answers, given, strict=True))
        assert max(counted) > 0, "no client was refused"
        alone.run(None, given[0])
        both = session(network.model, name="dvector", device=f"{device},{triton.removeprefix('triton://')}")
        both._at = 0
        both.run(None, given[0])
        (stub,) = [one for one in psutil.Process(process.pid).children(recursive=True) if "stub" in one.name()]
        stub.kill()
        assert apart(both.run(None, given[0]), answers[0]) < 1e-5
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert apart(both.run(None, given[0]), answers[0]) < 1e-5
        with pytest.raises(ServerUnavailable, match="no server answered for dvector"):
            alone.run(None, given[0])
    said = speechmill("serve", "check", device, expect=2)
    assert "networks can't be used" in said.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_the_command_ends_its_server_however_it_ends_itself(program, networks, tmp_path, number, status):
    write(tmp_path / "one", [networks["dvector"]], Options())
    port = free_port()
    command = [sys.executable, "-m", "speechmill", "serve", "run", tmp_path / "one", "--port", str(port)]
    where = {**os.environ, "SPEECHMILL_TRITON": str(program.environment or program.binary)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), env=where, stdout=log, stderr=log)
    try:
        assert _until(lambda: b"ready; in the corpus file" in (tmp_path / "log").read_bytes())
        server = psutil.Process(process.pid).children()[0]
    finally:
        process.send_signal(number)
    assert process.wait(60) == status
    assert _until(lambda: _gone(server))


def _gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def test_a_server_refuses_weights_that_were_swapped(program, repository, tmp_path):
    swapped = tmp_path / "repository"
    shutil.copytree(repository / "dvector", swapped / "dvector")
    shutil.copy(repository / "dnsmos_early" / "1" / "model.onnx", swapped / "dvector" / "1" / "model.onnx")
    with (
        pytest.raises(ServerUnavailable, match=r"as the repository was written with"),
        tritonserver.running(swapped, program=program, port=free_port(), log=tmp_path / "log"),
    ):
        pass
