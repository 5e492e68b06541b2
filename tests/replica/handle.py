# SPDX-License-Identifier: Apache-2.0
"""A replica from Python: started as a process of its own, which ends with this one.

    with Replica.start(ports=4, latency_s=0.1) as replica:
        YoutubeDL({"proxy": replica.proxy(0), "compat_opts": {"no-certifi"}})   # in replica.environment()

Tests import it as `replica.handle` with the folder `tests` on sys.path (tests/replica/fixtures.py says how).
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent


class Replica:
    """A running replica. Egresses are numbered from 0."""

    def __init__(self, process: subprocess.Popen[str], folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("the replica did not start: its errors are above")
        opened = json.loads(line)
        self.ports: list[int] = opened["ports"]
        self.ca_file = Path(opened["ca"])

    @classmethod
    def start(cls, ports: int = 1, media: Path | None = None, **world: Any) -> Replica:
        """Start one with so many proxies on free ports. media: a folder of audio; world: fields of Settings."""
        folder = tempfile.TemporaryDirectory(prefix="replica-", ignore_cleanup_errors=True)
        command = [sys.executable, str(HERE), "--ports", ",".join(["0"] * ports), "--folder", folder.name]
        command += ["--world", json.dumps(world), "--parent", str(os.getpid())]
        command += ["--media", str(media)] if media else []
        return cls(subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True), folder)

    @property
    def process_id(self) -> int:
        """Id of the process, to measure its share of the machine."""
        return self._process.pid

    def proxy(self, index: int = 0, credentials: str = "") -> str:
        """Return the address of an egress; credentials: "user:password"."""
        return f"http://{credentials + '@' if credentials else ''}127.0.0.1:{self.ports[index]}"

    def environment(self, proxy: int | None = None) -> dict[str, str]:
        """Return what makes clients trust the throw-away authority; yt-dlp needs compat_opts {"no-certifi"} too.

        proxy: egress that clients take which are told of none, where they read the environment.
        """
        trusted = {"SSL_CERT_FILE": str(self.ca_file), "REQUESTS_CA_BUNDLE": str(self.ca_file)}
        names = () if proxy is None else ("http_proxy", "https_proxy")
        return {**trusted, **{name: self.proxy(proxy or 0) for name in names}}

    def control(self, *, reset: bool = False, restore: bool = False, **changes: Any) -> dict[str, Any]:
        """Change settings and return them all. reset: forget what was counted; restore: go back to the start's."""
        body = {"set": changes, "reset": reset, "restore": restore}
        return self._json("POST", "/", json.dumps(body).encode())

    def egress(self, index: int, **settings: Any) -> None:
        """Change how one egress behaves: dead, ban_after, rate, window_s, ... (settings.EgressSettings)."""
        self.control(egress={str(index): settings})

    def statistics(self) -> dict[str, Any]:
        """Return what was counted since the start or the last reset; see World.statistics."""
        return self._json("GET", "/statistics")

    def video(self, name: str) -> dict[str, Any]:
        """Return what is true of a video, as videos.Video has it."""
        return self._json("GET", f"/videos/{name}")

    def media(self, name: str) -> bytes:
        """Return the bytes that a download of a video gives."""
        return self._ask("GET", f"/media/{name}")

    def _json(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._ask(method, path, body))
        return value

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=30)
        try:
            connection.request(method, f"http://control.replica{path}", body, {"Connection": "close"})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"the replica answers {response.status} to {path}: {content.decode(errors='replace')}")
        return content

    def stop(self) -> None:
        """End the process and remove its folder."""
        self._process.terminate()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()

    def __enter__(self) -> Replica:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
