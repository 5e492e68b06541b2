# SPDX-License-Identifier: Apache-2.0
"""`speechmill lexicon`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.output import print_json, print_table, shown
from speechmill.core.errors import ConfigError

if TYPE_CHECKING:
    from speechmill.formats.lexicon import Lexicon, Pronunciation
    from speechmill.g2p import LexiconSource, Oov

_TIERS = (".textgrid", ".eaf")
_TEXTS = (".lab", ".txt", *_TIERS)
_NAMED = 5  # words that a message names

_language = click.option(
    "--language", help="ISO 639 code: how numbers are said, and where words end in Thai or Chinese."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_out = click.Path(path_type=Path, dir_okay=False)
_in = click.Path(path_type=Path)


@click.group("lexicon")
def command() -> None:
    """Make, extend and check lexica: which words there are, and how they are said.

    \b
    speechmill lexicon make ./corpus --from vi-hanoi -o lexicon.dict
    speechmill lexicon oov lexicon.dict ./corpus
    """


@command.command("make")
@click.argument("texts", type=_in, nargs=-1, required=True)
@click.option("--from", "name", help="A name (vi-hanoi, cmudict, espeak, graphemes ...), a lexicon or a G2P model.")
@click.option("-o", "--out", type=_out, required=True, help="The lexicon to write.")
@_language
@_json
def make(texts: tuple[Path, ...], name: str | None, out: Path, language: str | None, as_json: bool) -> None:
    """Write the lexicon of all words in TEXTS: lists of words, texts, TextGrids, ELAN documents, or folders of them.

    Without --from it is what the language has: vi-hanoi, cmudict, else graphemes.

    \b
    speechmill lexicon make ./corpus --from vi-hanoi -o lexicon.dict
    speechmill lexicon make words.txt --from espeak --language de -o lexicon.dict
    """
    from speechmill import g2p
    from speechmill.formats import lexicon as formats

    source = g2p.resolve(name, language=language)
    counts = g2p.counted(_read(texts), language)
    made, missing = source.lexicon(counts)
    if not made.entries:
        raise ConfigError(f"{source.name} pronounces none of {len(counts)} words in {_names(texts)}: {_worst(missing)}")
    formats.write(out, made)
    lacking = sorted(missing, key=lambda word: (-counts[word], word))
    if as_json:
        print_json({"path": str(out), "from": source.name, "words": len(made.entries), "missing": lacking})
        return
    click.echo(f"{len(made.entries)} words, {len(made.phones)} phones, by {source.name}")
    if lacking:
        click.echo(
            f"{len(lacking)} of {len(counts)} words have no pronunciation there: {_worst(lacking)}. "
            f"Predict them with: speechmill lexicon extend {shown(out)} --from {shown(texts[0])}"
        )
    click.echo(f"written  {shown(out)}")


@command.command("extend")
@click.argument("lexicon", type=_in)
@click.option("--from", "texts", type=_in, multiple=True, required=True, help="A text or a folder. Repeatable.")
@click.option("--g2p", "g2p_name", help="A G2P model or a name; default: a model that is trained on LEXICON.")
@click.option("-o", "--out", type=_out, help="Default: beside LEXICON, with .extended in its name.")
@_language
@_json
def extend(
    lexicon: Path, texts: tuple[Path, ...], g2p_name: str | None, out: Path | None, language: str | None, as_json: bool
) -> None:
    """Add the words that LEXICON lacks, as a G2P model says them, and list them with its confidence.

    \b
    speechmill lexicon extend lexicon.dict --from ./corpus
    speechmill lexicon extend lexicon.dict --from ./corpus --g2p model.npz -o extended.dict
    """
    from speechmill import g2p
    from speechmill.formats import lexicon as formats

    known = _known(lexicon)
    source = _predicting(g2p_name, known, lexicon, texts, language)
    counts, num_words = _lacking(known, texts, language)
    extended = g2p.extend(known, counts, source)
    path = out or lexicon.with_name(f"{lexicon.stem}.extended{lexicon.suffix}")
    formats.write(path, extended.lexicon)
    if as_json:
        print_json({"path": str(path), "words": num_words, "oov": [_row(one) for one in extended.oov]})
        return
    _print_oov(extended.oov)
    added = len(extended.oov) - len(extended.missing)
    click.echo(
        f"{added} words added to {len(known.entries)}, by {source.name}; {len(extended.missing)} could not be said"
    )
    click.echo(f"written  {shown(path)}")


@command.command("oov")
@click.argument("lexicon", type=_in)
@click.argument("texts", type=_in, nargs=-1, required=True)
@click.option(
    "--g2p", "g2p_name", help="Also predict them: a G2P model, a name, or `train` for one trained on LEXICON."
)
@_language
@_json
def oov(lexicon: Path, texts: tuple[Path, ...], g2p_name: str | None, language: str | None, as_json: bool) -> None:
    """List the words of TEXTS that LEXICON lacks, the commonest first.

    \b
    speechmill lexicon oov lexicon.dict ./corpus
    speechmill lexicon oov lexicon.dict ./corpus --g2p train --json
    """
    from speechmill import g2p

    known = _known(lexicon)
    name = None if g2p_name == "train" else g2p_name
    source = _predicting(name, known, lexicon, texts, language) if g2p_name else None
    counts, num_words = _lacking(known, texts, language)
    found = g2p.oov(known, counts, source)
    if as_json:
        print_json({"words": num_words, "oov": [_row(one) for one in found]})
        return
    if not found:
        click.echo(f"all {num_words} words are in {shown(lexicon)}")
        return
    _print_oov(found)
    click.echo(
        f"{len(found)} of {num_words} words in {_names(texts)} are not in {shown(lexicon)}. "
        f"Predict them with: speechmill lexicon extend {shown(lexicon)} --from {shown(texts[0])}"
    )


@command.command("show")
@click.argument("words", nargs=-1, required=True)
@click.option("--from", "name", help="A name (vi-hanoi, cmudict, espeak, graphemes ...), a lexicon or a G2P model.")
@_language
@_json
def show(words: tuple[str, ...], name: str | None, language: str | None, as_json: bool) -> None:
    """Show how WORDS are said.

    \b
    speechmill lexicon show nguyễn tiếng --from vi-saigon
    """
    from speechmill import g2p

    source = g2p.resolve(name, language=language)
    found = dict(zip(words, source.pronounce(list(words)), strict=True))
    if as_json:
        print_json({word: [_variant(variant) for variant in variants] for word, variants in found.items()})
        return
    rows = [(word, *_cells(variant)) for word, variants in found.items() for variant in variants or (None,)]
    print_table(f"by {source.name}", ("word", "phones", "probability"), rows)


def _known(path: Path) -> Lexicon:
    from speechmill.formats import lexicon as formats

    if not path.is_file():
        raise ConfigError(f"no lexicon {path}. Make one with: speechmill lexicon make TEXT -o {path}")
    return formats.read(path)


def _read(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of files and of folders of them. Raises ConfigError where a folder has none."""
    from speechmill.alignment.tiers import utterance_tiers
    from speechmill.formats.encoding import read_text

    for path in (file for given in paths for file in _files(given)):
        if path.suffix.lower() in _TIERS:
            yield from (one.symbol for tier in utterance_tiers(path).chosen for one in tier.intervals)
        else:
            yield from read_text(path).split("\n")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise ConfigError(f"no such file or folder: {path}")
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in _TEXTS and file.is_file())
    if not found:
        raise ConfigError(f"{path}: no texts in this folder; they end in {', '.join(_TEXTS)}")
    return found


def _lacking(known: Lexicon, texts: Sequence[Path], language: str | None) -> tuple[Counter[str], int]:
    """Count the words that an aligner would not find, as it looks them up, and how many different words there are."""
    from speechmill.alignment.words import Wording, is_mark

    wording = Wording(known, language)
    missing: Counter[str] = Counter()
    words: set[str] = set()
    for text in _read(texts):
        worded = wording(text)
        missing.update(word for word in (*worded.oov, *worded.unspoken) if not is_mark(word))
        words.update(word for ways in worded.ways for word in (ways[0] if ways else ()))
        words.update(worded.unspoken)
    return missing, len(words)


def _predicting(
    name: str | None, known: Lexicon, path: Path, texts: Sequence[Path], language: str | None
) -> LexiconSource:
    from speechmill import g2p
    from speechmill.g2p import joint

    if name is None and not joint.can_learn(known):
        raise ConfigError(
            f"{path} has too few words of letters ({len(known.entries)}) to learn from how {_names(texts)} is said. "
            f"Name what knows more: --g2p MODEL, or --g2p {', '.join(g2p.names())}"
        )
    return g2p.resolve(name, known, language=language)


def _print_oov(found: Sequence[Oov]) -> None:
    header = ("word", "count", "phones", "confidence")
    rows = [
        (
            one.word,
            one.count,
            _phones(one.pronunciations[:1]),
            "" if one.confidence is None else f"{one.confidence:.2f}",
        )
        for one in found
    ]
    print_table("", header, rows)


def _row(one: Oov) -> dict[str, Any]:
    variants = [_variant(variant) for variant in one.pronunciations]
    return {"word": one.word, "count": one.count, "pronunciations": variants, "confidence": one.confidence}


def _variant(variant: Pronunciation) -> dict[str, Any]:
    return {"phones": list(variant.phones), "probability": variant.probability}


def _cells(variant: Pronunciation | None) -> tuple[str, str]:
    if variant is None:
        return "not there", ""
    return _phones((variant,)), "" if variant.probability is None else f"{variant.probability:g}"


def _phones(variants: Sequence[Pronunciation]) -> str:
    return " ".join(variants[0].phones) if variants else ""


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(f"{shown(path)}" for path in paths)


def _worst(words: Sequence[str]) -> str:
    rest = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
