# SPDX-License-Identifier: Apache-2.0
"""Trust in a segment's text without a reference: the expected share of its words that are right.

A logistic function of what is known: the recogniser's own confidences, agreement with a second recogniser, and whether
the text's pace and its repetitions are those of speech. SNR was tried, and foretold nothing more. It is calibrated for
English read aloud, clean and in noise, with text from pocketsphinx or from a file, and pocketsphinx as second
recogniser: what tuned it and how far it holds stand in benchmarks/trust.py. Anything else has the gap `uncalibrated`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from speechmill import words
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Transcript
from speechmill.quality import Column, Cut, _checks, _tables, _trust
from speechmill.quality._trust import SIDES, Model, evidence, models

VERSION = "1"
COST = 0.0005  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None
READS = ("transcript", "second")

COLUMNS = {
    "transcript_confidence": Column("share", (0.0, 1.0), True, "expected word accuracy, calibrated on read English"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to give a value at all."""

    uncalibrated: bool = False  # true: other languages and recognisers get the nearest model's value, which only ranks


def model_digest(config: Config) -> str:
    """Name coefficients and phrases, which come with the package, and what parts words in this installation."""
    return f"{_tables.digest(_trust.TABLE, _checks.TABLE)} {words.identity()}"


class Backend:
    """Scores segments with the trust that their text deserves."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `transcript_confidence`, 0..1: by the model that looks at most of what is known.

        Raises Unscorable: "no-text", "no-words", "too-short", "no-evidence", "uncalibrated".
        """
        known = evidence(cut)
        if not SIDES & known.keys():  # nothing speaks for the text or against it
            raise Unscorable("no-evidence", "neither the recogniser's confidences nor a second recogniser (second_asr)")
        return {"transcript_confidence": self._model(cut, known).probability(known)}

    def _model(self, cut: Cut, known: Mapping[str, float]) -> Model:
        fitting = [model for model in models() if model.evidence <= known.keys()]
        exact = [model for model in fitting if _is_of(model, cut)]
        if not exact and not (self.config.uncalibrated and fitting):
            first, second = (_name(cut.columns.get(name)) for name in ("transcript", "second"))
            what = f"text from {first}, second recogniser {second}, language {cut.language}"
            raise Unscorable("uncalibrated", what)
        return max(exact or fitting, key=lambda model: len(model.evidence))


def _is_of(model: Model, cut: Cut) -> bool:
    language = (cut.language or "").lower().split("-")[0]
    first, second = (_name(cut.columns.get(name)) for name in ("transcript", "second"))
    heard = second if "agreement" in model.weights else None
    return (model.transcript, model.second, model.language) == (first, heard, language)


def _name(transcript: Transcript | None) -> str | None:
    return transcript.backend if transcript is not None else None
