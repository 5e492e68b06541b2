# SPDX-License-Identifier: Apache-2.0
"""Backends by name: the file's name is the backend's name.

`speechmill/vad/silero.py` is the backend `silero` of the family `vad`. Third parties add one with an
entry point in the group `speechmill.vad`, whose value is a module of the same shape. A backend module has

    VERSION     str    raise it when the same input gives another output
    REQUIRES    tuple  what pip must have ("pocketsphinx",); the base install's own packages need no entry
    MODELS      tuple  names of model cards (optional)
    COST        CPU seconds per second of audio on one core, for estimates (optional)
    LANGUAGES   frozenset of codes, or None where any language will do (optional)
    rebase      rebase(config, base) -> config, where options hold paths (optional)
    model_digest  model_digest(config): identity of weights that no card describes (optional)
    SCORED      of an aligner: its alignments have a score as a whole (optional)
    trainer, train  of an aligner that trains a model of the corpus; see speechmill.align.Trainable (optional)
    prepare     prepare(config): have weights ready that no card describes; raises MissingModel (optional)
    SHORTHAND   name of the option that a bare value is: {captions: manual} (optional)
    NOT_IDENTITY  names of options that don't change a result (optional)
    DEVICES     kinds of device it can use: "cpu", "cuda", "triton" (optional; without it: the CPU)
    networks    networks(model_path): the networks it opens, by the names a server has them under (optional)
    cuda_available  cuda_available(): whether its runtime finds a GPU (optional; without it onnxruntime is asked)
    Config      frozen msgspec struct, documented field by field
    Backend     class: Backend(config, context), then what the family's protocol says

Nothing is imported before it is asked for.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import re
from types import ModuleType
from typing import Any

from msgspec import Struct

from speechmill.core.errors import MissingDependency, UnknownBackend, UnsupportedLanguage

FAMILIES = (
    "sources",
    "transcripts",
    "asr",
    "vad",
    "diarize",
    "segment",
    "quality",
    "words",
    "g2p",
    "align",
    "exporters",
)
PLACES = ("engines", "orchestrators")  # where a corpus is run: found by name as backends are, no part of the pipeline


class Choice(Struct, frozen=True):
    """A backend as the corpus file asks for it."""

    family: str
    backend: str
    config: Any  # the backend's Config
    when: str | None = None  # a condition on the source; see core.conditions
    device: str = "auto"  # where it runs; no part of the fingerprint. See core.devices

    @property
    def module(self) -> ModuleType:
        return load(self.family, self.backend)


@functools.cache
def _entry_points(family: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=f"speechmill.{family}")}


def names(family: str) -> list[str]:
    """List a family's backends, ours and third parties', without importing any."""
    package = importlib.import_module(f"speechmill.{family}")
    ours = {module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")}
    return sorted(ours | set(_entry_points(family)))


def load(family: str, name: str) -> ModuleType:
    """Import a backend's module. Raises UnknownBackend, naming the nearest."""
    known = names(family)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownBackend(f"no {family} backend {name!r}; {hint}There are: {', '.join(known) or 'none'}")
    point = _entry_points(family).get(name)
    if point is None:
        return importlib.import_module(f"speechmill.{family}.{name}")
    module = point.load()
    if not isinstance(module, ModuleType):
        raise UnknownBackend(f"entry point {point.value} of {family} backend {name!r} is not a module")
    return module


def missing_packages(module: ModuleType) -> list[str]:
    """Return those of the module's REQUIRES that pip does not have."""
    missing = []
    for requirement in getattr(module, "REQUIRES", ()):
        distribution = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]
        try:
            importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement)
    return missing


def require(family: str, name: str) -> ModuleType:
    """Load a backend and check that its packages are installed. Raises MissingDependency."""
    module = load(family, name)
    missing = missing_packages(module)
    if missing:
        packages = " ".join(f"'{package}'" for package in missing)
        raise MissingDependency(f"{family} backend {name!r} needs {', '.join(missing)}: pip install {packages}")
    return module


def knows_language(module: ModuleType, language: str | None) -> bool:
    """Tell whether a backend serves a language code; one without LANGUAGES serves any."""
    languages = getattr(module, "LANGUAGES", None)
    return languages is None or language is None or language.split("-")[0] in languages


def for_language(family: str, language: str) -> list[str]:
    """List the backends of a family that know a language."""
    return [name for name in names(family) if knows_language(load(family, name), language)]


def check_language(family: str, name: str, language: str | None) -> None:
    """Raise UnsupportedLanguage where a backend doesn't know the language, naming those that do."""
    if language is None or knows_language(load(family, name), language):
        return
    others = ", ".join(for_language(family, language)) or "none yet"
    raise UnsupportedLanguage(
        f"{family} backend {name!r} does not know the language {language!r}; backends that do: {others}. "
        f"See: speechmill list {family} --language {language}"
    )
