# SPDX-License-Identifier: Apache-2.0
"""The plan: stages in order and their fingerprints, from what each reads and writes.

A fingerprint is the hash of a stage's name, version, NON-default options, model digests and the fingerprints
upstream. Device, workers and time limits are not in it: they don't change a result. Library versions are
provenance, not identity. A stage that aligns with a model made from the corpus has the id of the pinned model in its
fingerprint; while there is none, the node waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from speechmill import models
from speechmill.core import devices, registry
from speechmill.core.errors import ConfigError, UnsupportedLanguage
from speechmill.core.files import digest
from speechmill.core.registry import Choice
from speechmill.core.stage import Resources
from speechmill.core.types import Source
from speechmill.models import triton
from speechmill.pipeline import lessons
from speechmill.pipeline.spec import Corpus, resolve
from speechmill.pipeline.used import Used, used_by
from speechmill.stages.align import Align
from speechmill.stages.diarize import Diarize
from speechmill.stages.glue import Glue
from speechmill.stages.landmarks import Landmarks
from speechmill.stages.normalise import Normalise
from speechmill.stages.quality import Quality
from speechmill.stages.second import Second
from speechmill.stages.segment import Segmentation
from speechmill.stages.transcribe import Transcribe
from speechmill.stages.vad import Vad


class Node(Struct, frozen=True):
    """A stage in the plan."""

    name: str
    fingerprint: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    backends: tuple[str, ...]
    resources: Resources
    trainer: str | None = None  # fingerprint of the trainer of its model, where that is made from the corpus
    model: str | None = None  # id of the one that is pinned; None: there is none yet
    version: str = ""  # of the stage itself
    used: tuple[Used, ...] = ()  # what is behind `backends`; versions of the dataset tell it apart

    @property
    def waits(self) -> bool:
        """Tell whether a model has to be made before this stage can do what was asked."""
        return self.trainer is not None and self.model is None

    @property
    def folder(self) -> str:
        """Name of the stage's folder in the ledger."""
        return f"{self.name}-{self.fingerprint}"


class Plan(Struct, frozen=True):
    """What `exec` needs to do a share of a run anywhere: written to runs/<id>/plan.json."""

    run: str
    corpus: dict[str, Any]
    base: str
    workspace: str
    nodes: tuple[Node, ...]
    versions: dict[str, str] = {}  # of libraries, where it was made; see `provenance`
    settings: dict[str, Any] = {}  # what was set over the corpus file

    @property
    def pins(self) -> dict[str, str]:
        """Models made from the corpus that its stages use: fingerprint of the trainer -> id."""
        return {node.trainer: node.model for node in self.nodes if node.trainer and node.model}

    def resolved(self) -> Corpus:
        """Return the corpus that this plan was made from."""
        return resolve(self.corpus, Path(self.base))


def stages(corpus: Corpus) -> list[Glue]:
    """Return the recording-scope stages of a corpus, upstream before downstream."""
    one_speaker = Choice("diarize", "none", registry.load("diarize", "none").Config())
    found: list[Glue] = [
        Normalise(),
        Vad([corpus.vad]),
        Transcribe(corpus.transcript),
        Diarize(corpus.diarize, one_speaker),
        Segmentation([corpus.segment]),
    ]
    if corpus.deduplicate is not None and corpus.deduplicate.audio:
        found.insert(1, Landmarks())
    if corpus.second_asr is not None:
        found.append(Second(corpus.second_asr))
    if corpus.align is not None:
        found.append(Align(corpus.align))
    metrics = [Quality(choice) for choice in corpus.quality]
    offered = [column for stage in (*found, *metrics) for column in stage.writes]
    return in_order([*found, *(Quality(metric.choices[0], offered) for metric in metrics)])


def in_order(found: Sequence[Glue]) -> list[Glue]:
    """Sort stages so that each comes after those whose columns it reads. Raises ConfigError where that can't be."""
    waiting, ordered, written = list(found), [], set[str]()
    offered = {column for stage in found for column in stage.writes}
    while waiting:
        ready = [stage for stage in waiting if set(stage.reads) <= written]
        if not ready:
            missing = sorted({column for stage in waiting for column in stage.reads} - offered)
            raise ConfigError(f"no stage writes {', '.join(missing)}" if missing else "stages read in a circle")
        ordered.append(ready[0])
        waiting.remove(ready[0])
        written |= set(ready[0].writes)
    return ordered


def nodes(corpus: Corpus, pins: Mapping[str, str] | None = None) -> tuple[Node, ...]:
    """Return the plan's nodes with their fingerprints; `pins`: fingerprint of a trainer -> id of its model."""
    made: list[Node] = []
    for stage in stages(corpus):
        upstream = sorted(node.fingerprint for node in made if set(node.writes) & set(stage.reads))
        identity: list[Any] = [
            stage.name,
            stage.version,
            [choice_identity(choice) for choice in stage.choices],
            upstream,
        ]
        trainer = trainer_of(stage, corpus)
        model = (pins or {}).get(trainer) if trainer else None
        identity += [[trainer, model]] if trainer else []
        fingerprint = digest(msgspec.json.encode(identity))[:16]
        backends = tuple(choice.backend for choice in stage.choices)
        used = tuple(used_by(choice, non_default(choice.config)) for choice in stage.choices)
        made.append(
            Node(
                stage.name,
                fingerprint,
                stage.reads,
                stage.writes,
                backends,
                stage.resources,
                trainer,
                model,
                stage.version,
                used,
            )
        )
    return tuple(made)


def trainer_of(stage: Glue, corpus: Corpus) -> str | None:
    """Name the trainer of a stage's model: what decides, beside the utterances, which model is made.

    None where the stage needs no model made from the corpus. What comes before `align` is no part of it: another VAD
    changes what is aligned, and whether to train anew is a decision (`--retrain`).
    """
    for choice in stage.choices:
        options = choice.module.trainer(choice.config, corpus.base) if hasattr(choice.module, "trainer") else None
        if options is not None:
            identity = [choice.family, choice.backend, options, lessons.VERSION, corpus.language]
            return digest(msgspec.json.encode(identity))[:16]
    return None


def workable(found: Sequence[Node]) -> list[Node]:
    """Return the nodes that can be worked on before any model is made from the corpus."""
    blocked, free = set[str](), list[Node]()
    for node in found:
        if node.waits or set(node.reads) & blocked:
            blocked |= set(node.writes)
        else:
            free.append(node)
    return free


def choice_identity(choice: Choice) -> list[Any]:
    """What of a backend counts: name, version, options that differ from their defaults, digests of its models."""
    module = choice.module
    found = [models.digest(name) for name in getattr(module, "MODELS", ())]
    if hasattr(module, "model_digest"):
        found.append(module.model_digest(choice.config))
    options = non_default(choice.config)
    for name in getattr(module, "NOT_IDENTITY", ()):
        options.pop(name, None)
    return [choice.family, choice.backend, module.VERSION, options, found, choice.when]


def non_default(config: Struct) -> dict[str, Any]:
    """Options that differ from their defaults, so that a new option with a default changes no fingerprint."""
    fields = msgspec.structs.fields(config)
    differing = {}
    for field in fields:
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if (value := getattr(config, field.name)) != default:
            differing[field.name] = msgspec.to_builtins(value)
    return dict(sorted(differing.items()))


def every_choice(corpus: Corpus) -> list[Choice]:
    """Return every backend a corpus uses, sources and exporters included."""
    found = [choice for stage in stages(corpus) for choice in stage.choices]
    return [*corpus.sources, *found, *corpus.export]


def check_backends(corpus: Corpus) -> None:
    """Raise ConfigError before any work starts.

    MissingDependency where pip lacks something, UnsupportedLanguage, or a server's address that is none.
    """
    for choice in every_choice(corpus):
        registry.require(choice.family, choice.backend)
        if devices.kind(choice.device) == devices.TRITON:
            triton.parse(choice.device)
    language = corpus.language
    for choice in (*corpus.transcript, *(one for one in (corpus.second_asr, corpus.align) if one)):
        if choice.when is None:
            registry.check_language(choice.family, choice.backend, language)


def check_languages(corpus: Corpus, sources: Sequence[Source]) -> None:
    """Raise UnsupportedLanguage where no transcript backend knows a language that recordings are said to be in.

    Where no transcript is asked for, any language will do: segments are then turns without text.
    """
    if not corpus.transcript:
        return
    for language in sorted({source.language for source in sources if source.language}):
        if any(registry.knows_language(choice.module, language) for choice in corpus.transcript):
            continue
        asked = ", ".join(choice.backend for choice in corpus.transcript)
        others = ", ".join(registry.for_language("asr", language)) or "none"
        raise UnsupportedLanguage(
            f"no transcript backend of {asked} knows the language {language!r}; those that do: {others}. "
            f"See: speechmill list asr --language {language}"
        )
