# SPDX-License-Identifier: Apache-2.0
"""What runs inside the server gives each request what it would get alone; tested here without a server."""

import hashlib

import numpy as np
import pytest

from speechmill.models.inference import session
from speechmill.serving.networks import halves
from speechmill.serving.server import joined, model, recurrent

STATE = (1, 1, 1, 128)


def opened(folder, files, network):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return network(folder, session)


def close(found, wanted):
    return [float(np.abs(one - other).max()) for one, other in zip(found, wanted, strict=True)]


def noise(seed, *shape):
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def test_recordings_of_different_length_go_through_silero_side_by_side(tmp_path, networks):
    network = opened(tmp_path, halves(networks["silero_vad"]), recurrent.Network)
    whole = session(networks["silero_vad"].model)
    feeds = [
        {"input": noise(length, 1, length, 576), "h": noise(1, *STATE), "c": noise(2, *STATE)}
        for length in (3, 300, 0, 3, 40)
    ]
    for feed, answer in zip(feeds, network.run(feeds), strict=True):
        if not len(feed["input"][0]):
            assert answer["speech_probs"].shape == (1, 0)
            assert close([answer["hn"], answer["cn"]], [feed["h"], feed["c"]]) == [0, 0]
            continue
        alone = whole.run(None, {name: array[0] for name, array in feed.items()})
        assert answer["speech_probs"].shape == (1, len(feed["input"][0]))
        assert max(close([answer[name][0] for name in ("speech_probs", "hn", "cn")], alone)) < 1e-6


def test_rows_of_many_requests_are_one_batch_and_come_back_to_their_own(tmp_path, networks):
    calls = []

    class Counted:
        def __init__(self, path):
            self._opened = session(path)
            self.get_outputs = self._opened.get_outputs

        def run(self, outputs, feeds):
            calls.append(feeds["mels"].shape)
            return self._opened.run(outputs, feeds)

    (tmp_path / "model.onnx").write_bytes(networks["dvector"].model)
    network = joined.Network(tmp_path, Counted)
    feeds = [{"mels": np.abs(noise(rows, rows, 160, 40))} for rows in (1, 4, 2)]
    answers = network.run(feeds)
    assert calls == [(7, 160, 40)]
    alone = session(networks["dvector"].model)
    for feed, answer in zip(feeds, answers, strict=True):
        assert answer["vectors"].shape == (len(feed["mels"]), 256)
        assert max(close([answer["vectors"]], alone.run(None, feed))) < 1e-5


def test_requests_of_other_shapes_stay_apart(tmp_path, networks):
    early = networks["dnsmos_early"]
    name = early.inputs[0].name
    network = opened(tmp_path, {"model.onnx": early.model}, joined.Network)
    feeds = [{name: noise(frames, 1, *_sized(early.inputs[0].dims, frames))} for frames in (40, 16, 40)]
    alone = session(early.model)
    for feed, answer in zip(feeds, network.run(feeds), strict=True):
        assert max(close(list(answer.values()), alone.run(None, feed))) < 1e-5


def _sized(dims, free):
    return [free if size == -1 else size for size in dims]


def test_weights_that_were_swapped_are_refused(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    model._check(file, hashlib.sha256(b"weights").hexdigest())
    with pytest.raises(ValueError, match=r"model\.onnx: SHA-256 .*, not ab12ab12ab12 as the repository"):
        model._check(file, "ab12" * 16)


def test_instances_on_a_gpu_use_it():
    assert model._providers({"model_instance_kind": "CPU"}) == ["CPUExecutionProvider"]
    first = model._providers({"model_instance_kind": "GPU", "model_instance_device_id": "1"})[0]
    assert first == ("CUDAExecutionProvider", {"device_id": 1})
