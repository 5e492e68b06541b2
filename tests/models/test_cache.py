# SPDX-License-Identifier: Apache-2.0
"""Artefacts are pulled whole, checked, and never half there."""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest

from speechmill import models
from speechmill.core.errors import FormatError, MissingModel
from speechmill.core.files import sha256_file
from speechmill.models.cache import check, fetch, find
from speechmill.models.registry import Card, files_digest

WEIGHTS = b"weights" * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SPEECHMILL_MODELS", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    monkeypatch.delenv("SPEECHMILL_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def wheels(tmp_path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "toy-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("toy/assets/sub/model.bin", WEIGHTS)
        archive.writestr("toy/assets/config", b"{}")
        archive.writestr("toy/__init__.py", b"raise SystemExit('the code of a wheel must not run')")
        archive.writestr("../../escaped", b"x")
    return folder


@pytest.fixture
def card(wheels) -> Card:
    files = {"sub/model.bin": sha256(WEIGHTS), "config": sha256(b"{}")}
    return Card(
        name="toy",
        title="Toy",
        purpose="tests",
        kind="wheel",
        package="toy-that-nobody-installed",
        version="1.0",
        root="toy/assets",
        licence="MIT",
        size=7002,
        digest=files_digest(files),
        files=files,
        wheel="toy-1.0-py3-none-any.whl",
        wheel_sha256=sha256_file(wheels / "toy-1.0-py3-none-any.whl"),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_the_listed_members_are_unpacked(card, wheels, cache):
    folder = fetch(card, wheel_folder=wheels)
    assert folder == cache / f"toy-{card.digest[:12]}"
    assert contents(cache) == {f"{folder.name}/sub/model.bin": WEIGHTS, f"{folder.name}/config": b"{}"}
    assert find(card) == folder
    assert not (cache.parent / "escaped").exists()


def test_a_mirror_folder_is_asked_before_the_network(card, wheels, cache, monkeypatch):
    monkeypatch.setenv("SPEECHMILL_MIRROR", str(wheels))
    assert contents(fetch(card))["config"] == b"{}"


def test_offline_says_how_to_go_on(card, cache):
    with pytest.raises(MissingModel, match=r"SPEECHMILL_OFFLINE is set.*SPEECHMILL_MIRROR.*models pull toy"):
        fetch(card)


def test_a_missing_model_names_the_command(cache):
    with pytest.raises(MissingModel, match="speechmill models pull dnsmos"):
        models.path("dnsmos")
    with pytest.raises(MissingModel, match="speechmill models pull dnsmos"):
        models.verify("dnsmos")


def test_another_wheel_of_that_name_is_refused(card, wheels, cache):
    with zipfile.ZipFile(wheels / card.wheel, "a") as archive:
        archive.writestr("extra", b"x")
    with pytest.raises(FormatError, match=f"pins {card.wheel_sha256}"):
        fetch(card, wheel_folder=wheels)
    assert contents(cache) == {}


def test_a_member_with_another_hash_is_refused(card, wheels, cache):
    wrong = msgspec.structs.replace(card, files={"config": "0" * 64})
    with pytest.raises(FormatError, match=f"config: SHA-256 is {sha256(b'{}')}, but card toy pins 0000"):
        fetch(wrong, wheel_folder=wheels)
    assert contents(cache) == {}


def test_a_member_that_the_wheel_lacks_is_named(card, wheels, cache):
    with pytest.raises(FormatError, match="no member toy/assets/absent"):
        fetch(msgspec.structs.replace(card, files={"absent": "0" * 64}), wheel_folder=wheels)


def test_a_broken_cache_is_noticed_and_pulled_again(card, wheels, cache):
    folder = fetch(card, wheel_folder=wheels)
    (folder / "config").write_bytes(b"broken")
    with pytest.raises(FormatError, match="speechmill models pull toy"):
        check(folder, card)
    assert fetch(card, wheel_folder=wheels) == folder
    check(folder, card)
    assert [path.name for path in cache.iterdir()] == [folder.name]


def test_a_half_deleted_model_is_missing(card, wheels, cache):
    (fetch(card, wheel_folder=wheels) / "config").unlink()
    with pytest.raises(MissingModel, match="models pull toy"):
        find(card)


def test_processes_that_pull_at_once_agree(card, wheels, cache):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = pool.map(functools.partial(fetch, wheel_folder=wheels), [card] * 12, chunksize=1)
    assert set(folders) == {find(card)}
    check(find(card), card)
    assert [path.name for path in cache.iterdir()] == [find(card).name]


def test_installed_files_are_used_where_they_are_the_pinned_ones(cache):
    pytest.importorskip("faster_whisper")
    folder = models.pull("silero-vad-v6")  # offline: it can only come from the environment
    assert [path.name for path in folder.iterdir()] == ["silero_vad_v6.onnx"]
    models.verify("silero-vad-v6")
    assert models.is_present("silero-vad-v6")


def test_a_package_card_points_into_the_package(cache):
    pytest.importorskip("pocketsphinx")
    folder = models.path("pocketsphinx-en")
    assert (folder / "en-us" / "mdef").is_file()
    assert models.pull("pocketsphinx-en") == folder
    assert not cache.exists()


def test_a_package_with_other_files_is_refused(cache):
    pytest.importorskip("pocketsphinx")
    wrong = msgspec.structs.replace(models.card("pocketsphinx-en"), files={"en-us.lm.bin": "0" * 64}, version="9.9")
    with pytest.raises(MissingModel, match=r"pip install 'pocketsphinx==9\.9'"):
        find(wrong)


def test_a_package_that_is_absent_is_named(card, cache):
    with pytest.raises(MissingModel, match=r"pip install 'toy-that-nobody-installed==1\.0'"):
        find(msgspec.structs.replace(card, kind="package"))


def test_what_pip_says_reaches_the_user(card, cache, monkeypatch, tmp_path):
    monkeypatch.delenv("SPEECHMILL_OFFLINE")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(MissingModel, match="No matching distribution found for toy-that-nobody"):
        fetch(card)


def test_pip_fetches_a_wheel_from_where_it_is_told(card, wheels, cache, monkeypatch):
    real = msgspec.structs.replace(card, package="toy")
    plain = wheels / card.wheel
    with zipfile.ZipFile(plain, "a") as archive:
        archive.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("toy-1.0.dist-info/RECORD", "")
    real = msgspec.structs.replace(real, wheel_sha256=sha256_file(plain))
    monkeypatch.delenv("SPEECHMILL_OFFLINE")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert contents(fetch(real)) == {"sub/model.bin": WEIGHTS, "config": b"{}"}
    shutil.rmtree(wheels)
    assert fetch(real) == find(real)  # pulled once, needed never again
