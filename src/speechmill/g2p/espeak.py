# SPDX-License-Identifier: Apache-2.0
"""IPA by espeak-ng's rules, in a hundred languages.

espeak-ng is GPL and comes from PyPI's `espeakng-loader` (the extra `espeak`): who loads it and passes the whole on is
bound by that licence. It is loaded when a word is asked for, not before. Stress is left out, tones stay on their
vowels as espeak-ng's digits. A word that it can only spell out has no pronunciation.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from speechmill.core.errors import ConfigError, MissingDependency
from speechmill.core.stage import Context
from speechmill.formats.lexicon import Pronunciation

VERSION = "1"
REQUIRES = ("espeakng-loader>=0.2.4",)
LANGUAGES = None

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: nothing is played
_UTF8 = 1
_IPA_PARTED_BY_BARS = 0x02 | ord("_") << 8
_VOICES = {"en": "en-us", "zh": "cmn", "no": "nb"}  # where espeak-ng's name for a language isn't ISO 639's
_SWITCH = re.compile(r"\([a-z][\w-]*\)")  # (en)...(de): said by another language's rules
_STRESS = str.maketrans("", "", "ˈˌ'")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose rules."""

    language: str  # a voice of espeak-ng: en-us, vi, de; or an ISO 639 code
    foreign: bool = True  # words that it says by another language's rules (loans, mostly English) count too


@functools.cache
def _library() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise MissingDependency("IPA by espeak-ng needs its library: pip install 'speechmill[espeak]'") from None
    library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0) <= 0:
        raise ConfigError(f"espeak-ng does not start with the data in {data}")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    return library


class Backend:
    """Asks espeak-ng. Opening raises MissingDependency, and ConfigError where it has no such voice."""

    def __init__(self, config: Config, context: Context) -> None:
        self._voice = _VOICES.get(config.language, config.language)
        self._foreign = config.foreign
        self._choose_voice()

    def _choose_voice(self) -> None:
        # The voice is the process's: another backend may have set another.
        if _library().espeak_SetVoiceByName(self._voice.encode()):
            raise ConfigError(
                f"espeak-ng has no voice {self._voice!r}. Its voices: https://github.com/espeak-ng/espeak-ng"
            )

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return one pronunciation for each word, and none for a word that can only be spelled out."""
        self._choose_voice()
        found = [self._phones(word) for word in words]
        return [(Pronunciation(phones),) if phones else () for phones in found]

    def _phones(self, word: str) -> tuple[str, ...]:
        buffer = ctypes.create_string_buffer(word.encode())
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        said = _library().espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _IPA_PARTED_BY_BARS)
        return _phones((said or b"").decode(errors="replace"), whole=not place.value, foreign=self._foreign)


def _phones(said: str, *, whole: bool, foreign: bool) -> tuple[str, ...]:
    """Read espeak-ng's answer; none where it is of several words ("letter 1 E B 9") or of another language."""
    native = _SWITCH.sub("_", said)
    if not whole or (native != said and not foreign) or " " in native.strip(" _"):
        return ()
    return tuple(phone for part in native.split("_") if (phone := part.translate(_STRESS).strip()))
