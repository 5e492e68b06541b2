# SPDX-License-Identifier: Apache-2.0
"""Flyte 1 (flytekit): a corpus's flows as workflows, their steps as typed tasks in containers.

`workflows_from(corpus.yaml)` in a module of yours, or `speechmill render flyte corpus.yaml`, which writes a module.
`pyflyte run` then runs it here, and `pyflyte register` or `pyflyte package` takes it to a cluster. The SDK of Flyte 2
is another one: it will have a file of its own beside this one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from speechmill.core.errors import Unsupported
from speechmill.orchestrators import Capability, Feature, check
from speechmill.pipeline import spec
from speechmill.pipeline.flow import flows
from speechmill.pipeline.spec import Corpus

REQUIRES = ("flytekit>=1.15,<2", "kubernetes")

CAPABILITIES: Mapping[Feature, Capability] = {
    "schedule": Capability(
        True,
        "A launch plan NAME.FLOW.scheduled with the cron, and what comes after the flow; "
        "it starts nothing until `pyflyte launchplan --activate` names it in a project and domain.",
    ),
    "event": Capability(
        False,
        "Flyte 1 has no event by which one workflow starts another: run NAME.everything, which does the flows one "
        "after the other, or give the first one a cron, which goes on with those that have none.",
    ),
    "sensor": Capability(
        True,
        "flytekit's FileSensor before labelling. Flyte's connector service runs it, and must see the file: "
        "an object store is better than the volume.",
    ),
    "backfill": Capability(
        True,
        "`pyflyte backfill NAME.backfill --from-date ... --to-date ...`: one execution for each date. With `catchup`, "
        "Flyte's scheduler does so for times that it missed since the launch plan was activated.",
    ),
    "deadline": Capability(
        False,
        "Flyte 1 tells nobody that a workflow is late: give `timeout_h`, after which a task is ended and `emails` are "
        "told, or have Prometheus watch the durations that Flyte exports.",
    ),
    "callback": Capability(True, "E-mail on failure, by Flyte's own notifications; use `emails`. No webhook."),
    "cache": Capability(
        True,
        "Shares of a run, by the fingerprint of their step and only where the ledger lacks nothing for them. What "
        "finds, plans, trains, writes or concludes is always done.",
    ),
    "resources": Capability(True, "Requests and limits of each task's container."),
    "gpu": Capability(True, "`gpu: true` asks for one for recognisers and aligners, with `gpu_image`."),
    "map": Capability(True, "An array node over ranges of shards, `parallel` at once, each with its own retries."),
    "branch": Capability(True, "A conditional on the counts that planning found."),
}


def workflows_from(
    source: str | os.PathLike[str], settings: Mapping[str, Any] | None = None, at: str | None = None
) -> dict[str, Any]:
    """Return workflows and launch plans of a corpus file by name, for a module's variables.

    settings: dotted field -> value, over what the file says. at: where tasks find it; None: where it is now.
    Raises ConfigError, Unsupported.

        globals().update(workflows_from("/data/corpus.yaml"))
    """
    path = Path(source).resolve()
    return workflows_of(spec.load(path, settings), at or str(path))


def workflows_of(corpus: Corpus, at: str) -> dict[str, Any]:
    """Return workflows and launch plans of a corpus by name. at: where tasks find its file. Raises Unsupported."""
    from speechmill.orchestrators._flyte_workflows import made_of

    _check(corpus)
    settings = [f"{field}={json.dumps(value, ensure_ascii=False)}" for field, value in _settings(corpus).items()]
    made = made_of(_variable(corpus.name), corpus, at, settings)
    return {**made.workflows, **made.launch_plans}


def restored(written: str, base: str) -> Corpus:
    """Return the corpus that a rendered module has as JSON; relative paths start at `base`."""
    return spec.resolve(json.loads(written), Path(base))


def render(corpus: Corpus, folder: Path) -> list[Path]:
    """Write a module for pyflyte, and the corpus file that its tasks want to find on the volume."""
    _check(corpus)
    name, raw = _variable(corpus.name), {**_aligner(corpus), **corpus.raw}
    place = f"{corpus.orchestrate.volume.path.rstrip('/')}/{name}.yaml"
    module, file = folder / f"{name}_flyte.py", folder / f"{name}.yaml"
    text = _MODULE.format(
        name=json.dumps(corpus.name, ensure_ascii=False),
        flows=" -> ".join(flow.name for flow in flows(corpus)),
        corpus=msgspec.json.format(msgspec.json.encode(raw), indent=1).decode(),
        base=str(corpus.base.resolve()),
        at=place,
        file=file.name,
        module=module.stem,
    )
    module.write_text(text, encoding="utf-8")
    file.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return [module, file]


def _settings(corpus: Corpus) -> dict[str, Any]:
    """Return what was set over the corpus file, and the aligner. How it is run is in the tasks already."""
    changed = {field: value for field, value in corpus.settings.items() if not field.startswith("orchestrate.")}
    return {**_aligner(corpus), **changed}


def _aligner(corpus: Corpus) -> dict[str, str]:
    """Return the aligner that was found, where none is named: which that is depends on what is installed here."""
    return {} if "align" in corpus.raw else {"align": corpus.align.backend if corpus.align else "none"}


def _check(corpus: Corpus) -> None:
    check("flyte", CAPABILITIES, corpus)
    if corpus.orchestrate.webhook is not None:
        raise Unsupported(
            "flyte: callback: Flyte 1 posts to no webhook: use orchestrate.emails, or the webhook of a chat"
        )


def _variable(name: str) -> str:
    return re.sub(r"\W", "_", name.lower()).strip("_") or "corpus"


_MODULE = '''"""Workflows of {name} for Flyte: {flows}. Written by `speechmill render flyte`: render it again.

    pyflyte run {module}.py label --corpus ./{file}     here, without a cluster
    pyflyte run {module}.py align --corpus ./{file}
    pyflyte --pkgs {module} package --source .
    pyflyte register --project speechmill --domain development {module}.py

On a cluster, tasks look for the corpus file at {at}: put {file} there, or say `--corpus` and
where it is. Relative paths in it start where it lies.
"""

from speechmill.orchestrators.flyte import restored, workflows_of

CORPUS = r"""
{corpus}
"""

globals().update(workflows_of(restored(CORPUS, {base!r}), {at!r}))
'''
