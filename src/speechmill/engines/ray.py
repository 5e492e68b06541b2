# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster: one that runs at an address, on any number of machines, or one on this machine for the time of a run.

Each recording is done by an actor that has a seat (`_seat`), a process of its own. So a recording never harms an actor,
and where one is lost, or a whole machine, Ray starts another, and its recording, which is innocent, goes to the next.
An actor asks for the cores that the plan's stages need, and where the corpus file says `orchestrate: {gpu: true}` for a
share of a GPU; without a share Ray hides GPUs from it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from speechmill.core.errors import ConfigError, SpeechmillError
from speechmill.engines._host import MAX_LOSSES, Host, lost
from speechmill.engines._machine import Meter, share_mb, usable_cores
from speechmill.engines._seat_process import Fatal
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Engine, Outcome, Task

REQUIRES = ("ray>=2.40",)
OBJECTS_MB = 256  # of shared memory for a Ray of our own: what is under way is little
SCRATCH = "/tmp"  # of a Ray of our own: its sockets need a short path, which TMPDIR may not be


class RayEngine(Engine):
    """Runs tasks on actors of Ray; see `speechmill.engines`."""

    def __init__(self, workers: int | None = None, memory_mb: int | None = None, address: str | None = None) -> None:
        self._address = address
        self._asked = workers
        self._memory_mb = memory_mb
        self._meter = Meter()
        self.workers = workers or usable_cores()
        if address is not None:
            with _connected(address) as resources:
                self.workers = workers or max(1, int(resources.get("CPU", 1)))

    def map(self, plan: Plan, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield each task with what came of it. Errors that end a run (a full disk) are raised."""
        cpu = max(node.resources.cpu for node in plan.nodes)
        with self._meter.running(), self._ray(cpu) as resources:
            share = _share(resources, cpu, self._number(), gpu=plan.resolved().orchestrate.gpu)
            memory_mb = self._memory_mb or (share_mb(share.actors) if self._address is None else None)
            with _actors(plan, memory_mb, share) as actors:
                yield from actors.map(tasks)

    def peak_rss_mb(self) -> float:
        return self._meter.peak_rss_mb

    def _number(self) -> int | None:
        return self._asked if self._address is not None else self.workers

    def _ray(self, cpu: float) -> contextlib.AbstractContextManager[dict[str, float]]:
        if self._address is not None:
            return _connected(self._address)
        if "ray" in sys.modules and sys.modules["ray"].is_initialized():  # a script's own, which it ends
            return contextlib.nullcontext(sys.modules["ray"].cluster_resources())
        return _own(math.ceil(self.workers * cpu))


Backend = RayEngine


class Share(Struct, frozen=True):
    """How many actors there are, and what of a machine each reserves."""

    actors: int
    cpu: float
    gpu: float


class _Actors:
    """Actors, each with one task at most: what waits can still go to any of them."""

    def __init__(self, plan: Plan, memory_mb: int | None, share: Share) -> None:
        import ray

        self._ray = ray
        self._plan = plan
        made = ray.remote(Host).options(num_cpus=share.cpu, num_gpus=share.gpu, max_restarts=-1)
        self._all = [made.remote(plan, memory_mb) for _ in range(share.actors)]
        self._idle: list[Any] = []
        self._coming: dict[Any, Any] = {}  # by what they are asked first: actors that are started, or again
        self._busy: dict[Any, tuple[Any, Task, int]] = {}  # by call: the actor, its task, actors this has lost
        self._again: deque[tuple[Task, int]] = deque()
        for actor in self._all:
            self._greet(actor)

    def map(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield each task with what came of it."""
        while True:
            while self._idle and (given := self._next(tasks)) is not None:
                actor = self._idle.pop()
                self._busy[actor.work.remote(given[0])] = actor, *given
            if self._idle and not self._busy:
                return
            for reference in self._ray.wait([*self._busy, *self._coming])[0]:
                if reference in self._busy:
                    yield from self._take(reference)
                else:
                    self._arrive(reference)

    def end(self) -> None:
        """End all actors at once."""
        for actor in self._all:
            with contextlib.suppress(Exception):  # the cluster may be what is gone
                self._ray.kill(actor)

    def _next(self, tasks: Iterator[Task]) -> tuple[Task, int] | None:
        if self._again:
            return self._again.popleft()
        task = next(tasks, None)
        return None if task is None else (task, 0)

    def _greet(self, actor: Any) -> None:
        """Ask an actor for an answer, which it gives when it is there: after a restart, as often as one is needed."""
        self._coming[actor.hello.options(max_task_retries=-1).remote()] = actor

    def _arrive(self, reference: Any) -> None:
        actor = self._coming.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise ConfigError(f"a Ray actor can't start: {_cause(error)}; is speechmill installed there?") from error
        self._idle.append(actor)

    def _take(self, reference: Any) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield a task and its answer; nothing where its actor was lost and it is tried again."""
        actor, task, losses = self._busy.pop(reference)
        answer = self._answer(reference)
        if answer is not None:
            self._idle.append(actor)
            yield task, answer
            return
        self._greet(actor)
        if losses + 1 >= MAX_LOSSES:
            yield task, lost(self._plan, task, losses + 1)
        else:
            self._again.append((task, losses + 1))

    def _answer(self, reference: Any) -> Outcome | Death | None:
        """Return what came of a call; None where the actor or its machine was lost. Raises what ends the run."""
        try:
            answer: Outcome | Death | Fatal = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise ConfigError(f"a Ray actor failed: {_cause(error)}") from error
        except self._ray.exceptions.RayError:
            return None
        if isinstance(answer, Fatal):
            raise answer.error
        return answer


def _cause(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {cause}"


@contextlib.contextmanager
def _actors(plan: Plan, memory_mb: int | None, share: Share) -> Iterator[_Actors]:
    actors = _Actors(plan, memory_mb, share)
    try:
        yield actors
    finally:
        actors.end()


def _share(resources: dict[str, float], cpu: float, workers: int | None, *, gpu: bool) -> Share:
    """Divide a cluster among actors: one for each core, or for each GPU; or `workers`, who then share GPUs."""
    if not gpu:
        return Share(workers or max(1, int(resources.get("CPU", 0) / cpu)), cpu, 0.0)
    gpus = int(resources.get("GPU", 0))
    if not gpus:
        raise ConfigError("orchestrate.gpu asks for GPUs, and this Ray has none; start its nodes with --num-gpus")
    number = workers or gpus
    return Share(number, cpu, math.floor(1e4 / math.ceil(number / gpus)) / 1e4)


@contextlib.contextmanager
def _own(cores: int) -> Iterator[dict[str, float]]:
    """Start a Ray on this machine, which asks nothing of a network and hears none, and end it."""
    import ray

    with (
        _by_itself(),
        contextlib.redirect_stdout(sys.stderr),  # it prints what its workers died of; stdout is for results
        tempfile.TemporaryDirectory(prefix="speechmill-ray-", dir=SCRATCH, ignore_cleanup_errors=True) as folder,
    ):
        try:
            ray.init(
                address="local",
                num_cpus=cores,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                object_store_memory=OBJECTS_MB * 2**20,
                _temp_dir=folder,
            )
            yield ray.cluster_resources()
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Have Ray listen on 127.0.0.1 alone and report no use; of this process nothing else does.

    It takes no such address as an option: without clusters it listens there, and whether it has them stands in the
    environment, which its processes read, and which it read here when it was imported. Ray writes into it, too.
    """
    from ray._private import ray_constants

    before, clusters = dict(os.environ), ray_constants.ENABLE_RAY_CLUSTER
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.setdefault(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "0") == "0":
        ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
        for name in [name for name in os.environ if name.startswith("RAY_") and name not in before]:
            del os.environ[name]


@contextlib.contextmanager
def _connected(address: str) -> Iterator[dict[str, float]]:
    """Connect to a Ray that runs, and let go of it. Raises ConfigError."""
    import ray

    if ray.is_initialized():
        raise ConfigError("this process is connected to a Ray already; leave the address out to use that")
    with contextlib.redirect_stdout(sys.stderr):
        yield from _connection(address)


def _connection(address: str) -> Iterator[dict[str, float]]:
    import ray

    try:
        _init(address)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise ConfigError(
            f"no Ray answers at {address} ({error}); start one with: ray start --head, and name auto on its machine, "
            "or ray://HOST:10001 elsewhere"
        ) from None
    try:
        yield ray.cluster_resources()
    except ConnectionError as error:
        raise SpeechmillError(f"the Ray at {address} is gone ({error}); run the same command again to go on") from None
    finally:
        ray.shutdown()


def _init(address: str, tries: int = 3) -> None:
    """Connect. A head that answers, and is too busy to start what serves a client in Ray's time, is asked again."""
    import ray

    while True:
        tries -= 1
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        except ConnectionAbortedError:
            if not tries:
                raise
            ray.shutdown()
