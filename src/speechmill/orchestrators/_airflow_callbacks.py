# SPDX-License-Identifier: Apache-2.0
"""What Airflow calls when a DAG run has failed, or isn't done in time: a log line, e-mail, a webhook.

A failure is told by the DAG processor, a missed deadline by the triggerer: both import this module by its name. Mail
servers, addresses and tokens stand in Airflow's Connections only.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier

EVENTS = {"failed": "failed", "late": "is not done by the deadline"}


class Tell(BaseNotifier):  # type: ignore[misc]
    """Tells people and programs that a DAG run has failed or is late.

    event: failed or late. emails: to whom, by the Connection smtp_default. webhook: id of an HTTP Connection that is
    posted to, as JSON.
    """

    def __init__(
        self,
        event: str,
        flow: str,
        emails: Sequence[str] = (),
        webhook: str | None = None,
        context: Any = None,
    ) -> None:
        super().__init__(context=context)
        self.event = event
        self.flow = flow
        self.emails = list(emails)
        self.webhook = webhook

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell it from a process that may wait."""
        failed = []
        for notifier in self._others(context):
            try:
                notifier.notify(context)
            except Exception as error:  # who is asked next must hear of it all the same
                failed.append(error)
        _raise(failed)

    async def async_notify(self, context: Mapping[str, Any]) -> None:
        """Tell it from the triggerer, which must not wait."""
        failed = []
        for notifier in self._others(context):
            try:
                await notifier.async_notify(context)
            except Exception as error:
                failed.append(error)
        _raise(failed)

    def _others(self, context: Mapping[str, Any]) -> list[Any]:
        told = message(self.event, self.flow, context)
        self.log.error("%s", told["text"])
        found: list[Any] = []
        if self.webhook is not None:
            from airflow.providers.http.notifications.http import HttpNotifier

            found.append(HttpNotifier(http_conn_id=self.webhook, json=dict(told)))
        if self.emails:
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

            body = f"<p>{html.escape(told['text'])}</p>"
            found.append(SmtpNotifier(to=self.emails, subject=told["text"][:200], html_content=body))
        return found


def _raise(failed: Sequence[Exception]) -> None:
    if failed:
        raise ExceptionGroup("not everybody could be told", failed)


def message(event: str, flow: str, context: Mapping[str, Any]) -> dict[str, str]:
    """Return what is told: the same words for people as for programs.

    context: of the DAG processor (objects) or of the triggerer (as its API gives a DAG run).
    """
    run = context.get("dag_run")
    found = run if isinstance(run, Mapping) else {"run_id": getattr(run, "run_id", None)}
    run_id = str(context.get("run_id") or found.get("dag_run_id") or found.get("run_id") or "unknown")
    told = {"event": event, "dag": flow, "dag_run": run_id}
    if reason := context.get("reason"):
        told["reason"] = str(reason)
    if (deadline := context.get("deadline")) is not None:
        told["deadline"] = str(deadline["deadline_time"])
    if (instance := context.get("ti")) is not None:
        told["task"] = str(instance.task_id)
    because = f": {told['reason']}" if "reason" in told else ""
    where = f"task {told['task']} of DAG run" if "task" in told else "DAG run"
    by = f" of {told['deadline']}" if "deadline" in told else ""
    return told | {"text": f"{flow} {EVENTS[event]}{by}{because} ({where} {run_id})"}
