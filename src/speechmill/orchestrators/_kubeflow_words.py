# SPDX-License-Identifier: Apache-2.0
"""Names, times and numbers as Kubeflow Pipelines writes them; kfp isn't needed for it."""

from __future__ import annotations

import json

from msgspec import structs

from speechmill.core.errors import ConfigError
from speechmill.orchestrators._names import plain_name
from speechmill.pipeline.flow import CORPUS, Step
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.spec import Corpus

BACKOFF = 2.0
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def slug(name: str) -> str:
    """Return a name as Kubernetes wants names.

    >>> slug("Việt podcasts_2")
    'viet-podcasts-2'
    """
    return plain_name(name, "-").lower()


def pipeline_name(corpus: str, flow: str) -> str:
    """Return the name of a flow's pipeline; without a flow, of the one that does them all.

    >>> pipeline_name("Small talks", "label"), pipeline_name("Small talks", "")
    ('small-talks-label', 'small-talks')
    """
    return f"{slug(corpus)}-{flow}" if flow else slug(corpus)


def cron_with_seconds(cron: str) -> str:
    """Return a cron line as Kubeflow Pipelines has them, with seconds in front. Raises ConfigError.

    >>> cron_with_seconds("30 2 * * 1")
    '0 30 2 * * 1'
    >>> cron_with_seconds("@daily")
    '0 0 0 * * *'
    """
    line = NICKNAMES.get(cron, cron)
    if len(line.split()) != 5:
        raise ConfigError(f"orchestrate.schedules: kubeflow knows no {cron!r}; there are: {', '.join(NICKNAMES)}")
    return f"0 {line}"


def retry_window_s(options: OrchestrateOptions) -> int:
    """Return the seconds within which a task may be tried again: all tries, as long as they may be, and all waits.

    kfp's `backoff_max_duration` becomes Argo's `maxDuration`, which counts from the start of the first try. Its default
    of an hour would leave long tasks without any retry: https://github.com/kubeflow/pipelines/issues/14245

    >>> retry_window_s(OrchestrateOptions(retries=2, retry_s=60, timeout_h=1))
    10980
    """
    waits = sum(options.retry_s * BACKOFF**i for i in range(options.retries))
    return int(waits + (options.retries + 1) * options.timeout_h * 3600)


def with_settings(corpus: Corpus, step: Step) -> Step:
    """Add to a step that reads the corpus file what was set over it, and the aligner that the pipeline was made for.

    Which one that is depends on what is installed, where none is named. A run that is there is as it was planned.
    """
    if CORPUS not in step.command or "--newest" in step.command:
        return step
    settings = {} if "align" in corpus.raw else {"align": corpus.align.backend if corpus.align else "none"}
    settings |= {field: value for field, value in corpus.settings.items() if not field.startswith("orchestrate.")}
    written = [f"{field}={json.dumps(value, ensure_ascii=False)}" for field, value in settings.items()]
    return structs.replace(step, command=(*step.command, *(word for one in written for word in ("--set", one))))
