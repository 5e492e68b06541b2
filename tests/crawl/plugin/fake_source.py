# SPDX-License-Identifier: Apache-2.0
"""A platform in a folder, for tests of the crawl's engine: what it has, and how it fails, stands in its config.

Items are "0", "1", ...; `faults` says by item how its visits fail, one after the other, before they succeed. What is
asked is written to `asked.log`, a line each, so that tests see what all processes did.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
import uuid
import wave
from pathlib import Path

import msgspec

from speechmill.core.errors import FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.core.types import Rights

VERSION = "1"
REQUIRES = ()
REMOTE = True
BUDGET = None
HOSTS = ()
_lock = threading.Lock()


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    folder: str
    name: str = "all"
    items: int = 3
    page: int = 10
    licence: str = "cc-by"
    seconds: float = 0.25
    spoken: str | None = None
    captioned: bool = False
    delay_s: float = 0.0
    faults: dict[str, tuple[str, ...]] = msgspec.field(
        default_factory=dict
    )  # "permanent", "rate", "crash", "hang", "wait", "bug", "media-net", ...


def kind(config: Config) -> str:
    return "list"


class Backend:
    def __init__(self, config: Config, connection: object) -> None:
        self.num_requests = 0
        self._config = config
        self._connection = connection
        self._folder = Path(config.folder)
        self._log(f"open {connection.proxy or 'direct'}")

    def discover(self, cursor: str | None) -> Page:
        self._ask(f"page {cursor}")
        self._fail(f"page-{cursor or 0}")
        first, config = int(cursor or 0), self._config
        last = min(first + config.page, config.items)
        refs = tuple(Ref("fake", str(i), f"https://fake.test/{i}", duration=config.seconds) for i in range(first, last))
        return Page(refs, str(last) if last < config.items else None)

    def describe(self, ref: Ref) -> Description:
        self._ask(f"describe {ref.id}")
        time.sleep(self._config.delay_s)
        self._fail(ref.id)
        config = self._config
        licence = "failed" if self._is_due(ref.id, "unlicensed") else config.licence
        return Description(
            platform="fake",
            id=ref.id,
            url=ref.url,
            title=f"Item {ref.id}",
            duration=config.seconds,
            author="Somebody",
            language=config.spoken,
            rights=Rights(state=licence, licence=licence),
            tracks=(CaptionTrack("en", "manual"),) if config.captioned else (),
        )

    def captions(self, description: Description, languages: object, kinds: object) -> list[Caption]:
        self._ask(f"captions {description.id}")
        text = f"WEBVTT\n\n00:00:00.000 --> 00:00:00.200\nitem {description.id}\n"
        return [Caption("en", "manual", text.encode())]

    def fetch(self, description: Description) -> Fetched:
        self._ask(f"fetch {description.id}")
        self._fail(f"media-{description.id}")
        path = self._connection.folder / f"{uuid.uuid4().hex}.wav"
        if self._is_due(f"media-{description.id}", "garbage"):
            path.write_bytes(b"no audio " * 100)
        else:
            self._write(path, int(description.id))
        content = path.read_bytes()
        return Fetched(path, "wav", len(content), hashlib.sha256(content).hexdigest())

    def close(self) -> None:
        self._log("close")

    def _write(self, path: Path, number: int) -> None:
        count = int(16_000 * self._config.seconds)
        samples = b"".join(
            ((i * (number + 3) * 97) % 8000 - 4000).to_bytes(2, "little", signed=True) for i in range(count)
        )
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(samples)

    def _fail(self, what: str) -> None:
        with _lock:
            done = len(list(self._folder.glob(f"fault-{what}-*")))
            faults = self._config.faults.get(what, ())
            if done >= len(faults) or faults[done] in ("garbage", "unlicensed"):
                return
            (self._folder / f"fault-{what}-{done}").touch()
        self._do(faults[done])

    def _is_due(self, what: str, fault: str) -> bool:
        done = len(list(self._folder.glob(f"fault-{what}-*")))
        faults = self._config.faults.get(what, ())
        if done >= len(faults) or faults[done] != fault:
            return False
        (self._folder / f"fault-{what}-{done}").touch()
        return True

    def _do(self, fault: str) -> None:
        if fault == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang":
            time.sleep(3600)
        if fault == "wait":  # until somebody says to go on
            while not (self._folder / "go-on").exists():
                time.sleep(0.01)
            return
        if fault == "bug":
            raise KeyError(f"no such field at {self._connection.proxy}")
        if fault == "full":
            raise OSError(28, "No space left on device")
        raise FetchError(fault, f"fake-{fault}", f"asked through {self._connection.proxy}")

    def _ask(self, what: str) -> None:
        self.num_requests += 1
        self._log(what)

    def _log(self, what: str) -> None:
        with (self._folder / "asked.log").open("a") as file:
            file.write(f"{os.getpid()} {what}\n")
