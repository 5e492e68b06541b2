# SPDX-License-Identifier: Apache-2.0
"""A real S3 server over HTTP (moto's) for tests, as a process of its own, with a switch that makes it fail.

It keeps objects in memory, honours If-None-Match, checks no credentials and verifies no checksums: a client must not
lean on the server for that. Run as a program it prints its port and serves until it is killed or its
stdin is closed.

    with S3Server() as server:
        environment = server.environment  # for obstore, and for processes
        server.fail("500", count=3)       # the next three requests
        server.fail("503", share=0.3)     # three in ten, until server.heal()
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

BUCKET = "corpus"
PAGE = 50  # keys in one answer to a listing; Amazon has 1,000
SECRET = "canary-secret-access-key"
TOKEN = "canary-session-token"
_CONTROL = "/__faults__"  # no bucket's name
# What a failing request meets:
#   500, 503, 403, 404   that status, as S3 says it; nothing is done
#   late-500             it is done, and then answered with 500
#   stall                no answer for `seconds`
#   reset                the connection is reset
#   truncate             half the answer's body, then a reset
#   corrupt              a byte of what is put is another
KINDS = ("500", "503", "403", "404", "late-500", "stall", "reset", "truncate", "corrupt")
_CODES = {"500": "InternalError", "503": "SlowDown", "403": "InvalidAccessKeyId", "404": "NoSuchBucket"}


class S3Server:
    """A server that is ready when made, with one bucket."""

    def __init__(self, bucket: str = BUCKET) -> None:
        command = [sys.executable, __file__, bucket]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.bucket = bucket
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": TOKEN,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as kill -9 does; what it held is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def fail(self, kind: str, *, count: int = 0, share: float = 0.0, match: str = "", seconds: float = 30.0) -> None:
        """Fail the next `count` requests, or a share of all, whose "METHOD /path?query" has `match` (a pattern)."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {KINDS}")
        self._ask({"kind": kind, "count": count, "share": share, "match": match, "seconds": seconds})

    def heal(self) -> None:
        """Serve everything again."""
        self._ask({"kind": ""})

    def requests(self) -> list[str]:
        """Return what was asked since the last call: "PUT /corpus/key 200", in order of arrival."""
        return list(self._ask({"kind": None}))

    def put(self, key: str, content: bytes) -> None:
        """Store an object, past any fault."""
        self._direct("PUT", key, content)

    def get(self, key: str) -> bytes:
        """Read an object, past any fault."""
        return self._direct("GET", key)

    def names(self) -> list[str]:
        """List every key of the bucket, past any fault."""
        found: list[str] = []
        while True:
            after = urllib.parse.quote(found[-1]) if found else ""
            text = self._direct("GET", "", query=f"?list-type=2&start-after={after}").decode()
            page = re.findall(r"<Key>([^<]*)</Key>", text)
            found += page
            if "<IsTruncated>true" not in text:
                return found

    def uploads(self) -> int:
        """Count multipart uploads that are neither completed nor aborted."""
        return self._direct("GET", "", query="?uploads").decode().count("<UploadId>")

    def _direct(self, method: str, key: str, content: bytes | None = None, query: str = "") -> bytes:
        url = f"{self.endpoint}/{self.bucket}/{urllib.parse.quote(key)}{query}"
        # Without its own type urllib says "form", and moto takes the content for fields.
        headers = {"Authorization": "AWS test:test", "X-Past-Faults": "1", "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, data=content, headers=headers, method=method)
        with _OPENER.open(request, timeout=30) as response:
            return bytes(response.read())

    def _ask(self, what: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.endpoint + _CONTROL, data=json.dumps(what).encode(), method="POST")
        with _OPENER.open(request, timeout=30) as response:
            return json.loads(response.read())


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Answer = tuple[str, list[tuple[str, str]], Iterable[bytes]]


class _Faults:
    """WSGI: fails what it was told to, and hands everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._rule: dict[str, Any] = {"kind": ""}
        self._owed = 0.0  # shares of a failure that requests have built up: 0.3 fails three in ten, evenly
        self._seen: list[str] = []

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == _CONTROL:
            return self._control(environ, start_response)
        if environ.get("HTTP_X_PAST_FAULTS"):
            return self._application(environ, start_response)
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        asked += f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        rule = self._due(asked)
        status, headers, chunks = self._answer(rule, environ)
        with self._lock:
            self._seen.append(f"{asked} {status[:3]}")
        start_response(status, headers)
        return chunks

    def _control(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        what = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        answer: list[str] = []
        with self._lock:
            if what["kind"] is None:
                answer, self._seen = self._seen, []
            else:
                self._rule, self._owed = what, 0.0
        content = json.dumps(answer).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    def _due(self, asked: str) -> dict[str, Any]:
        """Return the rule that this request falls under, or one of no kind."""
        with self._lock:
            rule = self._rule
            if rule["kind"] and re.search(rule["match"], asked):
                if rule["count"] > 0:
                    due = dict(rule)
                    rule["count"] -= 1
                    if not rule["count"]:
                        self._rule = {"kind": ""}
                    return due
                self._owed += rule["share"]
                if self._owed >= 1:
                    self._owed -= 1
                    return rule
        return {"kind": ""}

    def _answer(self, rule: dict[str, Any], environ: Environ) -> Answer:
        kind = rule["kind"]
        if kind == "stall":
            time.sleep(rule["seconds"])
        if kind in ("stall", "reset"):
            _reset(environ)
        body = _body(environ)
        if kind in _CODES:
            return _refusal(kind)
        if kind == "corrupt" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        status, headers, chunks = self._served(environ, body)
        if kind == "late-500":
            return _refusal("500")
        if kind == "truncate":
            chunks = _cut(environ, b"".join(chunks))
        return status, headers, chunks

    def _served(self, environ: Environ, body: bytes) -> Answer:
        answer: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            answer[:] = [status, headers]

        chunks = self._application({**environ, "wsgi.input": io.BytesIO(body)}, start)
        return answer[0], answer[1], chunks


def _body(environ: Environ) -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _refusal(kind: str) -> Answer:
    code = _CODES[kind]
    # What real servers quote in such answers, and a client must not repeat.
    content = f"<Error><Code>{code}</Code><CanonicalRequest>{TOKEN}</CanonicalRequest></Error>".encode()
    return f"{kind} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))], [content]


def _cut(environ: Environ, content: bytes) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    _reset(environ)


def _reset(environ: Environ) -> None:
    """Close the connection as a cut line does: with RST, whatever is still to be sent."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("a fault that was asked for")


def serve(bucket: str) -> None:
    """Serve until killed. Prints the port once the bucket is there."""
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from moto.s3 import models
    from werkzeug.serving import make_server

    os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = str(PAGE)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    models.S3_UPLOAD_PART_MIN_SIZE = 1  # Amazon's 5 MiB would make slow tests
    backend = models.s3_backends["123456789012"]["aws"]
    backend.create_bucket(bucket, "us-east-1")
    application = _Faults(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


def _end_with_parent() -> None:
    """Exit when nobody holds the other end of stdin any more: a test process that was killed leaves no server."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
