# SPDX-License-Identifier: Apache-2.0
"""Cards are complete, pinned and readable without weights."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from speechmill import models
from speechmill.core.errors import ConfigError
from speechmill.models.registry import _checked, files_digest

LICENCES = {"MIT", "Apache-2.0", "BSD-2-Clause"}


@pytest.mark.parametrize("card", models.cards().values(), ids=lambda card: card.name)
def test_a_card_pins_everything(card):
    assert card.licence in LICENCES
    assert card.digest == files_digest(card.files)
    assert card.title
    assert card.purpose
    assert card.size > 0
    assert all(len(sha) == 64 for sha in card.files.values())
    if card.kind == "wheel":
        assert len(card.wheel_sha256) == 64
        assert card.wheel.endswith(f"-{card.version}-py3-none-any.whl")


def test_a_digest_is_known_without_files(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECHMILL_MODELS", str(tmp_path))
    assert models.digest("dnsmos") == models.card("dnsmos").digest
    assert not models.is_present("dnsmos")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'dvector'"):
        models.card("d-vector")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a\\..\\b"])
def test_a_member_outside_the_folder_is_refused(path):
    table = {**msgspec.structs.asdict(models.card("dnsmos")), "files": {path: "0" * 64}}
    with pytest.raises(ConfigError, match="leaves the model's folder"):
        _checked(table)


def test_an_own_folder_is_named_by_its_content(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "model.bin").write_bytes(b"weights")
        (tmp_path / name / ".git").mkdir()
    (tmp_path / "two" / ".git" / "HEAD").write_bytes(b"x")
    folder, digest = models.from_folder(tmp_path / "one")
    assert folder == (tmp_path / "one").resolve()
    assert digest == files_digest({"sub/model.bin": hashlib.sha256(b"weights").hexdigest()})
    assert models.from_folder(tmp_path / "two")[1] == digest
    (tmp_path / "two" / "sub" / "model.bin").rename(tmp_path / "two" / "model.bin")
    assert models.from_folder(tmp_path / "two")[1] != digest


def test_an_empty_own_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not a folder with model files"):
        models.from_folder(tmp_path)
    with pytest.raises(ConfigError, match="not a folder with model files"):
        models.from_folder(tmp_path / "absent")
