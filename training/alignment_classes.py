# SPDX-License-Identifier: Apache-2.0
"""Make `acoustic/_long_classes.toml`: how twelve classes of phones sound, coarsely, in any language.

espeak-ng says a few sentences in nineteen languages, in several voices, at several rates, with more or less noise;
its events say when each phone is. No recording of anybody goes into the table.

    python training/alignment_classes.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr

from speechmill.acoustic import _long_sound as sound
from speechmill.demo.espeak import Line, Spoken, speak

TABLE = Path(sound.__file__).with_name("_long_classes.toml")
VOICES = ("", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4", "+f5")
WORDS = {
    "en-us": "yesterday evening seven thousand children walked through quiet villages behind mountains without judging",
    "de": "gestern abend gingen siebentausend kinder durch ruhige dörfer hinter den bergen ohne jemanden zu stören",
    "nl": "gisteren avond liepen zevenduizend kinderen door rustige dorpen achter het bos zonder iemand te storen",
    "sv": "igår kväll gick sjutusen barn genom stilla byar bakom bergen utan att störa någon människa",
    "fr": "hier soir sept mille enfants marchaient dans des villages calmes derrière la montagne sans bruit",
    "es": "ayer por la noche siete mil niños caminaban entre pueblos tranquilos detrás del monte sin hacer ruido",
    "it": "ieri sera settemila bambini camminavano tra villaggi tranquilli dietro la montagna senza disturbare nessuno",
    "pt": "ontem sete mil crianças caminhavam pelas aldeias tranquilas atrás das montanhas sem incomodar ninguém",
    "pl": "wczoraj wieczorem siedem tysięcy dzieci chodziło przez ciche wioski za górami nikomu nie przeszkadzając",
    "cs": "včera večer šlo sedm tisíc dětí tichými vesnicemi za horami aniž by někoho rušily",
    "ru": "вчера вечером семь тысяч детей гуляли через тихие деревни за горами никому совсем не мешая",
    "el": "χθες το βράδυ επτά χιλιάδες παιδιά περπατούσαν μέσα από ήσυχα χωριά πίσω από τα βουνά",
    "tr": "dün akşam yedi bin çocuk dağların arkasındaki sessiz köylerden kimseyi rahatsız etmeden yürüdü",
    "fi": "eilen illalla seitsemän tuhatta lasta käveli hiljaisten kylien läpi vuorten takana häiritsemättä ketään",
    "hu": "tegnap este hétezer gyerek sétált a csendes falvakon át a hegyek mögött senkit sem zavarva",
    "id": "kemarin malam tujuh ribu anak berjalan melalui desa yang tenang di belakang gunung tanpa mengganggu",
    "sw": "jana jioni watoto elfu saba walitembea kupitia vijiji tulivu nyuma ya milima bila kusumbua mtu",
    "ka": "გუშინ საღამოს შვიდი ათასი ბავშვი მთების უკან წყნარ სოფლებში დადიოდა ისე რომ არავინ შეუწუხებია",
    "vi": "tối hôm qua bảy nghìn đứa trẻ đi bộ qua những ngôi làng yên tĩnh phía sau dãy núi",
}


def main() -> None:
    rng = np.random.default_rng(0)
    speakers = [(language, voice) for language in WORDS for voice in VOICES]
    made = [one(rng, language, voice) for language, voice in speakers]
    features, labels = np.concatenate([found for found, _ in made]), np.concatenate([found for _, found in made])
    count = len(sound.CLASSES)
    start = sound.Gaussians(np.zeros((count, features.shape[1])), np.ones((count, features.shape[1])))
    TABLE.write_text(table(sound.estimated(features, labels, start)), encoding="utf-8")
    print(f"{len(labels) * sound.FRAME_S / 60:.0f} minutes; frames a class: {np.bincount(labels)}")


def one(rng: np.random.Generator, language: str, voice: str) -> tuple[sound.Matrix, np.ndarray]:
    """Speak a language's words in a voice, with pauses; return frames and the class of each."""
    words = WORDS[language].split()
    lines = [
        Line(
            ", ".join(rng.permutation(words)), language + voice, int(rng.integers(110, 200)), int(rng.integers(30, 70))
        )
        for _ in range(2)
    ]
    samples, phones = [], []
    for said in speak(lines):
        offset = sum(map(len, samples)) / 16_000
        phones += [(phone.symbol, phone.start + offset, phone.end + offset) for phone in said.phones]
        samples.append(np.concatenate([spoken(said), np.zeros(int(rng.uniform(0.2, 1.5) * 16_000))]))
    heard = np.concatenate(samples)
    heard = heard + rng.normal(0, 10 ** rng.uniform(-4, -2.3), len(heard))
    features = sound.frames(reader(heard.astype(np.float32)), len(heard) / 16_000)
    labels = np.full(len(features), len(sound.CLASSES) - 1)
    for symbol, start, end in phones:
        labels[round(start / sound.FRAME_S) : round(end / sound.FRAME_S)] = sound.class_of(symbol)
    return features, labels


def spoken(said: Spoken) -> np.ndarray:
    return soxr.resample(said.samples, said.sampling_rate, 16_000)


def reader(samples: np.ndarray) -> sound.Read:
    return lambda start, duration: samples[round(start * 16_000) : round((start + duration) * 16_000)]


def table(gaussians: sound.Gaussians) -> str:
    """Write Gaussians as TOML, two digits each."""
    parts = ["# Made by training/alignment_classes.py. Each class of phones: mean and variance of 39 features.\n"]
    for name, mean, variance in zip(sound.CLASSES, gaussians.means, gaussians.variances, strict=True):
        parts.append(f'\n["{name}"]\nmean = {numbers(mean)}\nvariance = {numbers(variance)}\n')
    return "".join(parts)


def numbers(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.2f}" for value in values) + "]"


if __name__ == "__main__":
    main()
