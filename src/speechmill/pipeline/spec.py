# SPDX-License-Identifier: Apache-2.0
"""The corpus file: YAML -> frozen structs, with errors that name the field, its line and the nearest name.

`CorpusFile` is what may be written (its JSON Schema: `speechmill init --schema`); `Corpus` is what it means once
every backend's name and options have been checked. Nothing heavy is imported and no file but the YAML is read.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, structs

from speechmill.align import SCORE
from speechmill.core import conditions, devices, registry
from speechmill.core.errors import ConfigError
from speechmill.core.registry import Choice
from speechmill.pipeline import crawl_options, dataset_options, orchestrate_options
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.pipeline.dataset_options import Deduplicate, Speakers, Splits
from speechmill.pipeline.filter import rules_from
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.yaml_text import parse

Asked = str | dict[str, Any]  # "silero", {silero: {threshold: 0.4}} or {backend: silero, threshold: 0.4, when: "..."}
Find = Callable[[str, Asked, str], Choice]  # family, what was written, field
CONDITIONAL = ("transcripts", "asr", "diarize", "quality", "align")  # families whose stages look at `when`
OFFLINE_ASR = {"en": "pocketsphinx"}  # recognisers whose weights come with pip


_BARE = ""  # the place of a value without an option's name, until the backend is known
_WAYS = "a backend is NAME, {NAME: {option: value}} or {backend: NAME, option: value}"


class CorpusFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A corpus file as it is written."""

    sources: Annotated[list[Asked], Meta(description="Where recordings come from: [{local: {path: ./audio}}]")]
    name: str = "corpus"
    language: Annotated[str | None, Meta(description="ISO 639 code; recordings.tsv may say otherwise per file")] = None
    channels: Annotated[
        Literal["mix", "each"], Meta(description="each: one microphone per speaker; mix: average them")
    ] = "mix"
    vad: Asked = "silero"
    transcript: Annotated[list[Asked] | None, Meta(description="The first that has text for a recording")] = None
    second_asr: Annotated[Asked | None, Meta(description="Another recogniser, for agreement")] = None
    diarize: Asked | None = msgspec.field(default_factory=lambda: {"backend": "dvector", "when": "num_speakers != 1"})
    segment: Asked = "turns"
    quality: list[Asked] = msgspec.field(default_factory=lambda: ["snr", "dnsmos"])
    align: Annotated[
        Asked | msgspec.UnsetType | None, Meta(description="null: no alignment; left out: what the language has")
    ] = msgspec.UNSET
    filter: Annotated[str | list[str] | dict[str, Any], Meta(description="A preset, rules, or both")] = "asr-broad"
    deduplicate: Annotated[Deduplicate | None, Meta(description="What is dropped as said twice; null: nothing")] = None
    splits: Annotated[Splits | None, Meta(description="Hours for dev and test; null: all is for training")] = None
    speakers: Annotated[Speakers, Meta(description="How exports name speakers")] = "names"
    export: list[Asked] = msgspec.field(default_factory=lambda: ["huggingface", "textgrid"])
    store: Annotated[str, Meta(description="The workspace folder")] = "./workspace"
    catalog: Annotated[str, Meta(description="sqlite, or postgresql+psycopg://user@host/database")] = "sqlite"
    crawl: Annotated[CrawlOptions, Meta(description="How remote sources are asked")] = CrawlOptions()
    orchestrate: Annotated[OrchestrateOptions, Meta(description="How Airflow, Flyte and Kubeflow Pipelines run it")] = (
        OrchestrateOptions()
    )
    device: Annotated[str, Meta(description="auto, cpu, cuda, cuda:N or triton://host:port")] = "auto"


class Corpus(Struct, frozen=True):
    """A corpus file with every backend found and every option checked."""

    name: str
    language: str | None
    channels: str
    sources: tuple[Choice, ...]
    vad: Choice
    transcript: tuple[Choice, ...]
    second_asr: Choice | None
    diarize: Choice
    segment: Choice
    quality: tuple[Choice, ...]
    align: Choice | None
    filter: Any
    deduplicate: Deduplicate | None
    splits: Splits | None
    speakers: Speakers
    export: tuple[Choice, ...]
    store: Path
    catalog: str  # SQLAlchemy's address; "sqlite": catalog.db in the workspace
    crawl: CrawlOptions
    orchestrate: OrchestrateOptions
    base: Path  # relative paths start here
    raw: dict[str, Any]  # what was written, for plan.json
    path: Path | None = None  # the corpus file, where there is one
    settings: Mapping[str, Any] = {}  # what was set over it: dotted field -> value


class FieldError(ConfigError):
    """A ConfigError that knows its field, as a dotted path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


def load(path: Path, overrides: Mapping[str, Any] | None = None) -> Corpus:
    """Read a corpus file. `overrides`: dotted field -> value, as `--set` gives them. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})") from error
    raw, lines = parse(path, text)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a corpus file is a mapping (name: ..., sources: ...), not {type(raw).__name__}")
    raw = with_overrides(raw, overrides or {})
    try:
        return structs.replace(resolve(raw, path.parent), path=path.resolve(), settings=dict(overrides or {}))
    except FieldError as error:
        raise ConfigError(f"{path}:{_line(error.field, lines)}: {error}") from error


def with_overrides(raw: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with dotted fields replaced: {"vad.silero.threshold": 0.6}."""
    changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(raw))
    for field, value in overrides.items():
        *parents, last = field.split(".")
        place = changed
        for depth, parent in enumerate(parents):
            inner = place.get(parent) if parent in place or depth else _default(parent)
            if isinstance(inner, str):  # "vad: silero" becomes "vad: {backend: silero}"
                inner = {"backend": inner}
            place[parent] = inner = {} if inner is None else inner
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {field}: {parent} is a list; change it in the corpus file")
            place = inner
        place[last] = value
    return changed


def _default(field: str) -> Any:
    """A field's default, for a setting inside what the corpus file doesn't mention."""
    for known in msgspec.structs.fields(CorpusFile):
        if known.name == field and known.default_factory is not msgspec.NODEFAULT:
            return known.default_factory()
        if known.name == field and isinstance(known.default, str):
            return known.default
    return None


def resolve(raw: dict[str, Any], base: Path) -> Corpus:
    """Check what was written and find its backends. Raises FieldError."""
    written = _convert(raw, CorpusFile, "")
    language = _checked("language", language_code, written.language) if written.language else None
    asked = written.transcript if written.transcript is not None else default_transcript(language)
    if not written.sources:
        raise FieldError("sources", "at least one is needed, for example [{local: {path: ./audio}}]")
    _check_options(written)
    align = written.align
    if align is msgspec.UNSET:
        align = default_align(language) if asked else None  # without any text there is nothing to align
    find = functools.partial(choice, base=base, device=written.device)
    transcript = tuple(_transcript(value, f"transcript.{i}", find) for i, value in enumerate(asked))
    quality = _choices("quality", written.quality, "quality", find)
    aligner = find("align", align, "align") if align and align != "none" else None
    scores = [score for metric in quality for score in metric.module.COLUMNS]
    scores += [SCORE] if aligner and getattr(aligner.module, "SCORED", False) else []
    _checked("filter", lambda asked: rules_from(asked, scores), written.filter)
    return Corpus(
        name=written.name,
        language=language,
        channels=written.channels,
        sources=_choices("sources", written.sources, "sources", find),
        vad=find("vad", written.vad, "vad"),
        transcript=transcript,
        second_asr=_second(written.second_asr, transcript, find),
        diarize=find("diarize", written.diarize or "none", "diarize"),
        segment=find("segment", written.segment, "segment"),
        quality=quality,
        align=aligner,
        filter=written.filter,
        deduplicate=written.deduplicate,
        splits=written.splits,
        speakers=written.speakers,
        export=_choices("exporters", written.export, "export", find),
        store=_store(written.store, base),
        catalog=_catalog(written.catalog),
        crawl=written.crawl,
        orchestrate=written.orchestrate,
        base=base,
        raw=raw,
    )


def _check_options(written: CorpusFile) -> None:
    """Check what no backend has a say in. Raises FieldError."""
    _checked("device", devices.kind, written.device)
    _checked("crawl", crawl_options.check, written.crawl)
    _checked("orchestrate", orchestrate_options.check, written.orchestrate)
    _checked("deduplicate", dataset_options.check_deduplicate, written.deduplicate)
    _checked("splits", dataset_options.check_splits, written.splits)


def language_code(written: str) -> str:
    """Return an ISO 639 code in its usual spelling: en, vi, en-US. Raises ConfigError where it isn't one.

    >>> language_code("EN_us")
    'en-us'
    """
    code = written.strip().replace("_", "-").lower()
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", code):
        raise ConfigError(f"{written!r} is not an ISO 639 language code, such as en, vi or yo")
    return code


def default_transcript(language: str | None) -> list[Asked]:
    """Files beside the audio first, then the recogniser that needs no download, where the language has one."""
    offline = OFFLINE_ASR.get((language or "").split("-")[0])
    return ["sidecar", offline] if offline else ["sidecar"]


def default_align(language: str | None) -> str | None:
    """The aligner that needs no download: the language's own, whose weights come with pip, or one that is trained.

    The latter only where its packages are installed: the base install has no compiler of loops.
    """
    if language is None:
        return None
    offline = OFFLINE_ASR.get(language.split("-")[0])
    return offline or (None if registry.missing_packages(registry.load("align", "gmm")) else "gmm")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the corpus file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(CorpusFile)}


def _store(value: str, base: Path) -> Path:
    if "://" in value:
        raise FieldError("store", f"{value}: only local folders yet; use a path")
    return (base / Path(value).expanduser()).resolve()


def _catalog(value: str) -> str:
    if value != "sqlite" and not value.startswith("postgresql+psycopg://"):
        raise FieldError("catalog", "is sqlite, or postgresql+psycopg://user@host/database")
    if ":" in value.partition("://")[2].rpartition("@")[0]:
        raise FieldError("catalog", "no password here: this file is copied into every run; use PGPASSWORD or ~/.pgpass")
    return value


def _checked(field: str, check: Callable[[Any], Any], value: Any) -> Any:
    """Apply a check that knows nothing of corpus files; what it raises then names the field."""
    try:
        return check(value)
    except ConfigError as error:
        raise FieldError(field, str(error)) from error


def _choices(family: str, values: Sequence[Asked], field: str, find: Find) -> tuple[Choice, ...]:
    found = tuple(find(family, value, f"{field}.{i}") for i, value in enumerate(values))
    if family in ("quality", "exporters"):
        names = [choice.backend for choice in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FieldError(field, f"named twice: {', '.join(twice)}")
    return found


def _transcript(value: Asked, field: str, find: Find) -> Choice:
    name, _options = _split(value, field)
    family = "transcripts" if name in registry.names("transcripts") else "asr"
    return find(family, value, field)


def _second(value: Asked | None, first: Sequence[Choice], find: Find) -> Choice | None:
    if value is None:
        return None
    found = find("asr", value, "second_asr")
    if any(structs.replace(one, when=found.when, device=found.device) == found for one in first):
        problem = f"{found.backend} with these options is in transcript too: it would agree with itself. "
        problem += "Leave it out there, or give one of the two other options"
        raise FieldError("second_asr", problem)
    return found


def _split(value: Asked, field: str) -> tuple[str, dict[str, Any]]:
    """Return backend and options of any of the three ways to write them."""
    if isinstance(value, str):
        return value, {}
    options = dict(value)
    if "backend" in options:
        name = options.pop("backend")
    elif len(options) == 1:
        name, inner = next(iter(options.items()))
        bare = inner is not None and not isinstance(inner, dict | list)
        options = {_BARE: inner} if bare else {} if inner is None else inner
    else:
        raise FieldError(field, f"name one backend, as in {{backend: NAME, ...}}; found {', '.join(options)}")
    if not isinstance(name, str) or not isinstance(options, dict):
        raise FieldError(field, _WAYS)
    return name, options


def _spelled_out(options: dict[str, Any], module: ModuleType, field: str) -> dict[str, Any]:
    """Give a bare value, as in {captions: manual}, the name of the option that the module says it is."""
    if _BARE not in options:
        return options
    if not hasattr(module, "SHORTHAND"):
        raise FieldError(field, _WAYS)
    return {module.SHORTHAND: options[_BARE]}


def choice(family: str, value: Asked, field: str, *, base: Path, device: str = devices.AUTO) -> Choice:
    """Find a backend and check its options; relative paths in them start at `base`. Raises FieldError."""
    name, options = _split(value, field)
    options = dict(options)
    when, asked = options.pop("when", None), options.pop("device", None)
    module = _checked(field, lambda name: registry.load(family, name), name)
    _checked(f"{field}.when", conditions.check, when)
    device = _checked(f"{field}.device", lambda asked: devices.chosen(module, asked, device), asked)
    if when is not None and family not in CONDITIONAL:
        raise FieldError(f"{field}.when", f"has no meaning here; it may be said of {', '.join(CONDITIONAL)}")
    config = _convert(_spelled_out(options, module, field), module.Config, f"{field}.{name}")
    if hasattr(module, "rebase"):
        config = module.rebase(config, base)
    return Choice(family, name, config, when, device)


def _convert(value: Any, kind: Any, field: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(str(error), kind, field) from error


def _explain(message: str, kind: Any, field: str) -> FieldError:
    """Turn msgspec's message into one that names the field and, for an unknown one, the nearest."""
    what, _, where = message.partition(" - at ")
    inner = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", where.strip("`").removeprefix("$")).strip(".")
    place = ".".join(part for part in (field, inner) if part)
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown is None:
        return FieldError(place, what + _allowed(kind, inner))
    known = kind.__struct_fields__
    near = difflib.get_close_matches(unknown[1], known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return FieldError(f"{place}.{unknown[1]}".strip("."), f"unknown; {hint}Known: {', '.join(known) or 'none'}")


def _allowed(kind: Any, field: str) -> str:
    """List the values that a field may have, where it has a list."""
    annotation = get_type_hints(kind).get(field)
    values = get_args(annotation) if get_origin(annotation) is Literal else ()
    return f"; there are: {', '.join(map(str, values))}" if values else ""


def _line(field: str, lines: dict[str, int]) -> int:
    """The line of a field, or of the nearest thing around it: {backend: NAME} leaves NAME out of the path."""
    parts = field.split(".")
    for last in range(len(parts), 0, -1):
        for path in (parts[:last], parts[: last - 2] + parts[last - 1 : last] if last > 2 else parts[:1]):
            if ".".join(path) in lines:
                return lines[".".join(path)]
    return 1
