# SPDX-License-Identifier: Apache-2.0
"""Tell of a failure and of a missed deadline, to servers of our own; print what came. Run by Airflow's own Python."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import socketserver
import threading
from types import SimpleNamespace
from typing import Any

POSTED: list[Any] = []
MAILED: list[str] = []


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        POSTED.append({"path": self.path, "token": self.headers["X-Token"], "body": json.loads(body)})
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *words: Any) -> None: ...


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "DATA":
                self._say("354 go on")
                MAILED.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            if word == "QUIT":
                return self._say("221 bye")
            self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def main() -> None:
    servers = [
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook),
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    web, mail = (server.server_address[1] for server in servers)
    connections = {
        "alerts": {"conn_type": "http", "host": f"http://127.0.0.1:{web}/hook", "extra": {"X-Token": "s"}},
        "broken": {"conn_type": "http", "host": "http://127.0.0.1:1"},
        "smtp_default": {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": mail,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"},
        },
    }
    for name, connection in connections.items():
        os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)

    from speechmill.orchestrators._airflow_callbacks import Tell

    emails = ["speech@example.org"]
    instance = SimpleNamespace(task_id="segment")
    failed = {"ti": instance, "dag_run": SimpleNamespace(run_id="manual__1"), "reason": "task_failure"}
    Tell("failed", "talks_label", emails, "alerts")(failed)
    late = {"dag_run": {"dag_run_id": "manual__2"}, "deadline": {"id": "1", "deadline_time": "2026-11-21T00:00:00Z"}}
    asyncio.run(wait_for(Tell("late", "talks_label", emails, "alerts", context=late)))
    error = ""
    try:
        Tell("failed", "talks_align", emails, "broken")({"run_id": "manual__3"})
    except ExceptionGroup as group:
        error = str(group)
    print(json.dumps({"posted": POSTED, "mailed": MAILED, "error": error}))


async def wait_for(tell: Any) -> None:
    await tell


if __name__ == "__main__":
    main()
