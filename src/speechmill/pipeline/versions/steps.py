# SPDX-License-Identifier: Apache-2.0
"""Which stages differ between two versions, by themselves and not for what is upstream of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.pipeline.versions.manifest import Manifest, Step, Used


class Root(Struct, frozen=True):
    """A stage that differs by itself, and by what."""

    stage: str
    what: str


def roots(before: Manifest, after: Manifest) -> dict[str, Root]:
    """Return the stages that differ by themselves, by name."""
    old, new = _by_name(before), _by_name(after)
    if not old or not new:
        return {}  # the folder of a run was deleted before its version was written: nothing is known
    found = {}
    for name in dict.fromkeys((*new, *old)):
        what = _difference(name, old, new)
        if what:
            found[name] = Root(name, what)
    return found


def behind(columns: Iterable[str], before: Manifest, after: Manifest, found: Mapping[str, Root]) -> list[Root]:
    """Return those of the roots that columns come from, whatever is in between."""
    wanted = set(columns)
    names = {name for one in (before, after) for name in _ancestors(wanted, _by_name(one))}
    return [root for name, root in found.items() if name in names]


def _by_name(manifest: Manifest) -> dict[str, Step]:
    return {step.name: step for step in manifest.steps}


def _ancestors(columns: set[str], steps: Mapping[str, Step]) -> set[str]:
    """Return the stages that write columns, and all that these read from."""
    found: set[str] = set()
    waiting = set(columns)
    while waiting:
        writers = [step for step in steps.values() if set(step.writes) & waiting and step.name not in found]
        found |= {step.name for step in writers}
        waiting = {column for step in writers for column in step.reads}
    return found


def _difference(name: str, old: Mapping[str, Step], new: Mapping[str, Step]) -> str:
    """Say by what a stage differs itself; nothing where it doesn't, or only for what is upstream of it."""
    if name not in old:
        return f"added: {_backends(new[name].used)}"
    if name not in new:
        return f"left out: {_backends(old[name].used)}"
    if old[name].fingerprint == new[name].fingerprint:
        return ""
    own = "; ".join(_own(old[name], new[name]))
    if own or _upstream(old[name], old) != _upstream(new[name], new):
        return own
    return f"fingerprint {old[name].fingerprint} -> {new[name].fingerprint}"


def _upstream(step: Step, steps: Mapping[str, Step]) -> list[str]:
    return sorted(one.fingerprint for one in steps.values() if set(one.writes) & set(step.reads))


def _own(old: Step, new: Step) -> Iterator[str]:
    if old.version != new.version:
        yield f"version of the stage {old.version} -> {new.version}"
    before, after = [one.backend for one in old.used], [one.backend for one in new.used]
    if before != after:
        yield f"{', '.join(before) or 'none'} -> {', '.join(after) or 'none'}"
    known = {one.backend: one for one in old.used}
    for one in dict.fromkeys(one.backend for one in new.used):
        if one in known:
            yield from _of_backend(known[one], next(used for used in new.used if used.backend == one))
    if (old.trainer, old.model) != (new.trainer, new.model):
        yield f"model made from the corpus {old.model or 'none'} -> {new.model or 'none'}"


def _of_backend(old: Used, new: Used) -> Iterator[str]:
    name = new.backend
    if old.version != new.version:
        yield f"version of {name} {old.version} -> {new.version}"
    for option in sorted({*old.options, *new.options}):
        before, after = (one.options.get(option, _DEFAULT) for one in (old, new))
        if before != after:
            yield f"{name}.{option} {_shown(before, old, option)} -> {_shown(after, new, option)}"
    if old.when != new.when:
        yield f"{name}.when {old.when} -> {new.when}"
    models = {one.name: one.digest for one in old.models}
    for model in new.models:
        if models.get(model.name) != model.digest:
            earlier = models.get(model.name) or next((one.digest for one in old.models), "none")
            yield f"model of {name} {earlier[:12]} -> {model.digest[:12]}"


_DEFAULT = object()


def _shown(value: Any, used: Used, option: str) -> str:
    if value is _DEFAULT:
        value = _default(used, option)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(used: Used, option: str) -> Any:
    """Return the default of an option, where the backend that is installed is still the one that was used."""
    try:
        module = registry.load(used.family, used.backend)
    except ConfigError:
        return "default"
    if used.version != module.VERSION:
        return "default"
    found = {field.name: field.default for field in msgspec.structs.fields(module.Config)}.get(option)
    return "default" if found is msgspec.NODEFAULT else found


def _backends(used: Iterable[Used]) -> str:
    return ", ".join(dict.fromkeys(one.backend for one in used)) or "without a backend"
