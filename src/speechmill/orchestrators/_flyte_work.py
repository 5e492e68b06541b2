# SPDX-License-Identifier: Apache-2.0
"""What a task of Flyte does, as text that fits into a container's arguments; and which of it Flyte may leave out.

Nothing here needs flytekit: the SDK of Flyte 2 has the same needs.

Flyte's cache and the ledger. Flyte skips a task of the same name, `cache_version` (the step's fingerprint) and input.
It knows nothing of the ledger, so what it skips must be safe by what goes into the input. A share of a run has a
token as its only input that counts. `plan` makes it: where the ledger lacks anything for these recordings, the token
is a new one and the task is done, whatever Flyte remembers; where nothing is lacking, it is the token under which
the same recordings were last handed to Flyte, and the task may be skipped. So the ledger stays the truth: a workspace
that was moved, cleaned or lost is worked on again. What finds, plans, trains, writes or concludes is never skipped.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill.core.files import digest, write_bytes
from speechmill.orchestrators._command import reopening
from speechmill.pipeline import run as pipeline
from speechmill.pipeline.flow import CORPUS, Flow, Step
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.pending import pending
from speechmill.pipeline.record import Recorder, Silent

NEWEST = "--newest"
REMEMBERED = 10  # runs whose tokens are looked up: what an older one did is done once more, for nothing


class Work(Struct, frozen=True, omit_defaults=True):
    """One task of a flow: all that its container is told."""

    corpus: str  # its name, as names of Flyte are
    flow: str
    step: Step
    options: OrchestrateOptions
    stages: tuple[str, ...] = ()  # of a step that plans: those that the flow does over shards

    @property
    def name(self) -> str:
        return f"{self.corpus}.{self.flow}.{self.step.name}"

    @property
    def kind(self) -> str:
        """Tell what goes in and comes out: crawl, plan, shards, run or conclude."""
        first = self.step.command[0]
        if first == "exec":
            return "shards" if self.step.over_shards else "run"
        return first


def works(corpus: str, flow: Flow, options: OrchestrateOptions, settings: Sequence[str] = ()) -> dict[str, Work]:
    """Return the tasks of a flow by the names of its steps. settings: FIELD=VALUE, over what the corpus file says."""
    stages = tuple(dict.fromkeys(name for step in flow.steps if step.over_shards for name in _stages(step)))
    return {
        step.name: Work(corpus, flow.name, _set(step, settings), options, stages if step.command[0] == "plan" else ())
        for step in flow.steps
    }


def _set(step: Step, settings: Sequence[str]) -> Step:
    """Add settings to a step that reads the corpus file; a run that is there is as it was planned."""
    if CORPUS not in step.command or NEWEST in step.command:
        return step
    return structs.replace(step, command=(*step.command, *(word for one in settings for word in ("--set", one))))


def _stages(step: Step) -> list[str]:
    return step.command[step.command.index("--stages") + 1].split(",")


def write(work: Work) -> str:
    r"""Return a task as JSON for a container's arguments: what its container needs to know.

    There "{{" means something to Flyte and "$(" to Kubernetes.

    >>> json = write(Work("a", "label", Step("plan", ("plan", "$(HOME)/{{.input}}"), ""), OrchestrateOptions()))
    >>> "$(" in json or "{{" in json
    False
    """
    told = structs.replace(work, options=OrchestrateOptions(command=work.options.command))
    return msgspec.json.encode(told).decode().replace("$", r"\u0024").replace("{{", r"{\u007b")


def read(written: str) -> Work:
    """Read what `write` wrote."""
    return msgspec.json.decode(written, type=Work)


def words(command: Sequence[str], settings: str, options: Mapping[str, object]) -> list[str]:
    """Add to a step's command what an execution asks of it; what is empty isn't asked for.

    settings: fields of the corpus file, "vad.threshold=0.6 filter=asr-strict".

    >>> words(("plan", "{corpus}", "--newest", "--json"), "", {"--run": "/data/runs/1"})
    ['plan', '{corpus}', '--json', '--run', '/data/runs/1']
    """
    found = reopening(command) if options.get("--run") else list(command)
    for option, value in options.items():
        if value:
            found += [option] if value is True else [option, str(value)]
    return found + [word for setting in shlex.split(settings) for word in ("--set", setting)]


def tokens(run: Path, ranges: Sequence[str], stages: Collection[str]) -> list[str]:
    """Return a token for each range of a run's shards: the same as before only where the ledger lacks nothing.

    stages: those whose results count. What was given is kept in the run's folder, for the next runs to find.
    """
    recorder, _sources = pipeline.reopen(run, Silent())
    kept, new = _file(stages), uuid.uuid4().hex
    before, lacking = _given(run, kept), _lacking(recorder, stages)
    found = {}
    for content, shards in _contents(recorder, ranges, stages):
        done = content in before and not lacking & shards
        found[content] = before[content] if done else f"{new}-{content}"
    write_bytes(run / kept, msgspec.json.encode(found))
    return list(found.values())


def _contents(recorder: Recorder, ranges: Iterable[str], stages: Collection[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield for each range the identity of what is done to which recordings, and its shards."""
    folders = [node.folder for node in recorder.plan.nodes if node.name in stages]
    keys: dict[str, list[str]] = {}
    for member in recorder.members:
        keys.setdefault(member.shard, []).append(member.key)
    for written in ranges:
        first, _, last = written.partition("..")
        shards = {f"{number:05d}" for number in range(int(first), int(last or first) + 1)}
        yield digest(*folders, *sorted(key for shard in shards for key in keys[shard]))[:32], shards


def _lacking(recorder: Recorder, stages: Collection[str]) -> set[str]:
    """Return the shards that a stage must be done for; where one waits for a model, all."""
    nodes = recorder.plan.nodes
    if any(node.waits for node in nodes if node.name in stages):
        return {member.shard for member in recorder.members}
    upstream = _upstream(recorder, stages)
    return {
        member.shard
        for group, states in recorder.members_with_states()
        for member in group
        if pending(nodes, states, member.key, False, upstream)
    }


def _upstream(recorder: Recorder, stages: Collection[str]) -> set[str]:
    """Return these stages and all that come before them: what is lost there is lacking here."""
    names = [node.name for node in recorder.plan.nodes]
    last = max((place for place, name in enumerate(names) if name in stages), default=-1)
    return set(names[: last + 1])


def _given(run: Path, file: str) -> dict[str, str]:
    """Return the tokens that were given in the newest runs, by content."""
    kept = sorted(run.parent.glob(f"*/{file}"), key=lambda path: path.parent.name)
    found: dict[str, str] = {}
    for path in kept[-REMEMBERED:]:
        found |= msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    return found


def _file(stages: Collection[str]) -> str:
    return f"flyte-{digest(*stages)[:8]}.json"


def stands_in(steps: Sequence[Step], step: Step) -> list[Step]:
    """Return the steps of which one runs: first the one for the case that there is anything of the fact."""
    if step.when is None:
        return [step]
    alternatives = [one for one in steps if one.when is not None and one.when.fact == step.when.fact]
    return sorted(alternatives, key=lambda one: one.when is not None and not one.when.any)
