# SPDX-License-Identifier: Apache-2.0
"""Weights of hubs and folders: found, fetched from a hub that the test makes, identified, missed clearly."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from speechmill.core.errors import MissingModel
from speechmill.models import hub
from speechmill.models.hub import Weights, folder, identity, rebased

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b"{}", "model.bin": b"weights", "README.md": b"not asked for"}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No mirror, no network, nothing remembered."""
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    monkeypatch.delenv("SPEECHMILL_MIRROR", raising=False)
    hub._hubs_commit.cache_clear()


def weights(tmp_path: Path, model: str = "owner/name", **options) -> Weights:
    needed = ("config.json", "model.bin or model.safetensors")
    return Weights("asr toy", model, needed, also=("extra.txt",), cache=str(tmp_path / "cache"), **options)


def write(where: Path, files: dict[str, bytes] = FILES) -> Path:
    where.mkdir(parents=True)
    for name, content in files.items():
        (where / name).write_bytes(content)
    return where


def cached(tmp_path: Path) -> Path:
    """A repository as the hub library keeps it."""
    repository = tmp_path / "cache" / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return write(repository / "snapshots" / COMMIT)


def test_a_local_folder_is_used_as_it_is(tmp_path):
    path = write(tmp_path / "model")
    assert folder(weights(tmp_path, str(path))) == path


def test_either_of_two_files_will_do(tmp_path):
    path = write(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"weights"})
    assert folder(weights(tmp_path, str(path))) == path


def test_a_missing_file_is_named(tmp_path):
    path = write(tmp_path / "model", {"config.json": b"{}"})
    with pytest.raises(MissingModel, match=r"asr toy: .*model has no model\.bin or model\.safetensors\. Fetch"):
        folder(weights(tmp_path, str(path)))


def test_a_folder_that_is_not_there_is_not_looked_for_on_a_hub(tmp_path):
    for model in (str(tmp_path / "absent"), "./absent/model", "../absent/model"):
        with pytest.raises(MissingModel, match="no folder"):
            folder(weights(tmp_path, model))


def test_a_relative_folder_starts_where_the_corpus_file_is_and_a_hub_id_stays(tmp_path):
    path = write(tmp_path / "models" / "mine")
    assert rebased("models/mine", tmp_path) == str(path.resolve())
    assert rebased("owner/name", tmp_path) == "owner/name"


def test_a_digest_follows_the_files_that_are_read(tmp_path):
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    first = identity(weights(tmp_path, str(one)))
    assert len(first) == 64
    (other / "README.md").write_text("another")
    assert identity(weights(tmp_path, str(other))) == first
    (other / "extra.txt").write_text("read")
    assert identity(weights(tmp_path, str(other))) != first
    (one / "model.bin").write_bytes(b"other weights")
    assert identity(weights(tmp_path, str(one))) != first


def test_what_is_cached_is_used_offline_and_known_by_its_commit(tmp_path):
    snapshot = cached(tmp_path)
    assert folder(weights(tmp_path)) == snapshot
    assert identity(weights(tmp_path)) == f"owner/name@{COMMIT}"


def test_a_pinned_commit_is_the_identity_before_anything_is_here(tmp_path):
    assert identity(weights(tmp_path, revision=COMMIT)) == f"owner/name@{COMMIT}"


def test_an_unknown_commit_leaves_the_revision(tmp_path):
    assert identity(weights(tmp_path)) == "owner/name@main"
    assert identity(weights(tmp_path, revision="v1")) == "owner/name@v1"


def test_a_mirror_comes_before_the_hub_and_is_known_by_its_files(tmp_path, monkeypatch):
    copy = write(tmp_path / "mirror" / "owner" / "name")
    monkeypatch.setenv("SPEECHMILL_MIRROR", str(tmp_path / "mirror"))
    assert folder(weights(tmp_path)) == copy
    assert identity(weights(tmp_path)) == identity(weights(tmp_path, str(copy)))


def test_a_mirrors_pinned_copy_says_so_in_its_name(tmp_path, monkeypatch):
    write(tmp_path / "mirror" / "owner" / "name")
    monkeypatch.setenv("SPEECHMILL_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(MissingModel):
        folder(weights(tmp_path, revision="v1"))
    pinned = write(tmp_path / "mirror" / "owner" / "name@v1")
    assert folder(weights(tmp_path, revision="v1")) == pinned


def test_offline_says_what_to_fetch_and_where_to_put_it(tmp_path):
    with pytest.raises(
        MissingModel,
        match=r"no folder 'owner/name', no weights of that name are cached, and SPEECHMILL_OFFLINE is set\. .*"
        r"hf download owner/name --revision v1 --local-dir FOLDER, copy FOLDER here and say model: FOLDER\. "
        r"It must hold config\.json, model\.bin or model\.safetensors\.",
    ):
        folder(weights(tmp_path, revision="v1"))


def test_an_unreachable_hub_is_one_clear_error(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.delenv("SPEECHMILL_OFFLINE")
    # Nothing listens on the discard port: the connection is refused at once.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingModel, match=r"'owner/name'.*the hub gave none \(\w+: .*refused.*hf download owner/name"):
        folder(weights(tmp_path))
    assert identity(weights(tmp_path)) == "owner/name@main"


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as a download asks for: a revision, a tree, files."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/owner/name/revision/") or path == "/api/models/owner/name":
            self._json({"id": "owner/name", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]})
        elif path.startswith("/api/models/owner/name/tree/"):
            blobs = ((name, content, hashlib.sha1(content).hexdigest()) for name, content in FILES.items())
            self._json([{"type": "file", "path": n, "size": len(c), "oid": oid} for n, c, oid in blobs])
        elif path.startswith("/owner/name/resolve/"):
            self._send(FILES[path.rpartition("/")[2]])
        else:
            self.send_error(404)

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode())

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def made_hub(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    handler = type("Handler", (Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("SPEECHMILL_OFFLINE")
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    yield handler
    server.shutdown()
    server.server_close()


def test_a_hub_is_asked_once_and_only_for_what_is_read(tmp_path, made_hub):
    found = folder(weights(tmp_path))
    assert {path.name for path in found.iterdir()} == {"config.json", "model.bin"}
    assert (found / "model.bin").read_bytes() == b"weights"
    made_hub.asked.clear()
    assert folder(weights(tmp_path)) == found
    assert made_hub.asked == []


def test_one_of_two_formats_is_fetched(tmp_path, made_hub, monkeypatch):
    monkeypatch.setitem(FILES, "model.safetensors", b"the same weights")
    found = folder(weights(tmp_path))
    assert {path.name for path in found.iterdir()} == {"config.json", "model.bin"}


def test_the_second_format_is_fetched_where_the_first_is_not_there(tmp_path, made_hub, monkeypatch):
    monkeypatch.setitem(FILES, "model.safetensors", FILES["model.bin"])
    monkeypatch.delitem(FILES, "model.bin")
    found = folder(weights(tmp_path))
    assert {path.name for path in found.iterdir()} == {"config.json", "model.safetensors"}
    made_hub.asked.clear()
    assert folder(weights(tmp_path)) == found
    assert made_hub.asked == []


def test_what_a_cache_lacks_is_fetched(tmp_path, made_hub):
    snapshot = cached(tmp_path)
    (snapshot / "model.bin").unlink()
    assert folder(weights(tmp_path)) == snapshot
    assert (snapshot / "model.bin").read_bytes() == b"weights"


def test_a_fingerprint_is_the_same_before_and_after_the_weights_are_fetched(tmp_path, made_hub, monkeypatch):
    before = identity(weights(tmp_path))
    folder(weights(tmp_path))
    hub._hubs_commit.cache_clear()
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    assert before == identity(weights(tmp_path)) == f"owner/name@{COMMIT}"


def test_a_password_in_an_address_is_not_told(tmp_path, made_hub, monkeypatch):
    def refused(*_arguments, **_options):
        raise OSError("Cannot reach https://me:secret@hub.example/api/models/owner/name\nmore")

    monkeypatch.setattr(pytest.importorskip("huggingface_hub"), "snapshot_download", refused)
    with pytest.raises(
        MissingModel, match=r"\(OSError: Cannot reach https://hub\.example/api/models/owner/name\)"
    ) as caught:
        folder(weights(tmp_path))
    assert "secret" not in str(caught.value)
