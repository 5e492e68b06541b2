# SPDX-License-Identifier: Apache-2.0
"""How a Vietnamese syllable sounds in Hanoi, Saigon and Hue: tables from its parts to phones.

Symbols are those of the Montreal Forced Aligner's Hanoi dictionary (CC BY 4.0, McAuliffe and Sonderegger), which
writes ngang and huyền alike and closes ong, ông, ung with the lips. Its Hanoi is that of Thompson (A Vietnamese
Reference Grammar, 1965) and Kirby (JIPA 41, 2011). Saigon: Thompson 1965, ch. 3 and 4; Phạm and McLeod (IJSLP 18,
2016). Hue: Hoàng Thị Châu (Tiếng Việt trên các miền đất nước, 1989); Vũ Thanh Phương (1982) for its tones, Alves
(SEALS XII, 2007) for the region, Phạm (LACUS 39, 2012) for its codas. Where these allow two, the form of careful
speech is first and the other a variant. Of these two no dictionary was at hand to check against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from speechmill.g2p._vietnamese_syllables import STOPS, Syllable

_Rime = tuple[str, str]  # nucleus, coda: letters on the left of a table, phones on its right
_ONSETS = {
    "": "ʔ", "b": "ɓ", "ch": "tɕ", "d": "z", "đ": "ɗ", "g": "ɣ", "gi": "z", "h": "h", "k": "k", "kh": "x", "l": "l",
    "m": "m", "n": "n", "ng": "ŋ", "nh": "ɲ", "p": "p", "ph": "f", "r": "z", "s": "s", "t": "t", "th": "tʰ", "tr": "tɕ",
    "v": "v", "x": "s",
}  # fmt: skip
_SOUTH_OF_HANOI = {"d": "j", "gi": "j", "s": "ʂ", "tr": "ʈ"}
_NUCLEI = {
    "a": "aː", "ă": "a", "â": "ə", "e": "ɛː", "ê": "eː", "i": "iː", "o": "ɔː", "ô": "oː", "ơ": "əː", "u": "uː",
    "ư": "ɨː", "iê": "iə", "uô": "uə", "ươ": "ɨə", "oo": "ɔː", "ôô": "oː",
}  # fmt: skip
_CODAS = {"y": "j", "w": "w", "m": "m", "n": "n", "ng": "ŋ", "nh": "ɲ", "p": "p̚", "t": "t̚", "c": "k̚", "ch": "c", "": ""}
# Vowels are short before a palatal, and before a velar that the lips close; ư is so before any coda.
_SHORT: Mapping[_Rime, _Rime] = {
    **{
        (vowel, coda): (short, _CODAS[coda]) for vowel, short in zip("aêi", "aei", strict=True) for coda in ("nh", "ch")
    },
    **{(vowel, "ng"): (short, "ŋm") for vowel, short in zip("oôu", "ɔou", strict=True)},
    **{(vowel, "c"): (short, "kp") for vowel, short in zip("oôu", "ɔou", strict=True)},
    **{("ư", coda): ("ɨ", phone) for coda, phone in _CODAS.items() if coda},
}
# South of Hanoi n and t are velar but after i and ê, and nh and ch are dental, so that lan is lang and anh is ăn.
_BACKED: Mapping[_Rime, _Rime] = {
    **{(vowel, "n"): (_NUCLEI[vowel], "ŋ") for vowel in _NUCLEI if vowel not in ("i", "ê")},
    **{(vowel, "t"): (_NUCLEI[vowel], "k̚") for vowel in _NUCLEI if vowel not in ("i", "ê")},
    ("ư", "n"): ("ɨ", "ŋ"), ("ư", "t"): ("ɨ", "k̚"), ("a", "nh"): ("a", "n"), ("a", "ch"): ("a", "t̚"),
}  # fmt: skip
_DENTAL = (("n", "n"), ("nh", "n"), ("t", "t̚"), ("ch", "t̚"))  # what n and nh, t and ch merge into after i and ê
_SAIGON: Mapping[_Rime, _Rime] = {
    **_BACKED,
    **{("i", coda): ("ɨ", phone) for coda, phone in _DENTAL},
    **{("ê", coda): ("əː", phone) for coda, phone in _DENTAL},
    ("u", "n"): ("u", "ŋm"), ("u", "t"): ("u", "kp"),
    # Diphthongs lose their second half before a lip or a glide (Thompson 1965: 86).
    **{("iê", coda): ("iː", _CODAS[coda]) for coda in "mpw"},
    **{("uô", coda): ("uː", _CODAS[coda]) for coda in "mpy"},
    **{("ươ", coda): ("ɨː", _CODAS[coda]) for coda in "mpwy"},
}  # fmt: skip
_HUE: Mapping[_Rime, _Rime] = {
    **_BACKED,
    **{("i", coda): ("i", phone) for coda, phone in _DENTAL},
    **{("ê", coda): ("e", phone) for coda, phone in _DENTAL},
}


class Dialect(Struct, frozen=True):
    """What a dialect makes of each part. `stopped`: tones of syllables that end in p, t, c or ch."""

    onsets: Mapping[str, str]
    rimes: Mapping[_Rime, _Rime]
    tones: Mapping[str, str]
    stopped: Mapping[str, str]
    glided: Mapping[str, str] = {}  # onsets that a glide swallows, with what is said for both
    also: Mapping[str, str] = {}  # other ways to say an onset

    def phones(self, syllable: Syllable) -> tuple[str, ...]:
        """Return the phones of careful speech, the tone on the nucleus."""
        nucleus, coda = self._rime(syllable)
        tone = (self.stopped if syllable.coda in STOPS else self.tones)[syllable.tone]
        return (*self._onset(syllable), nucleus + tone, *filter(None, (coda,)))

    def others(self, syllable: Syllable) -> Iterator[tuple[str, ...]]:
        """Yield further ways to say the onset."""
        rest = self.phones(syllable)[1:]
        if syllable.glide and syllable.onset in self.glided:
            yield (self.onsets[syllable.onset], "w", *rest)
        elif syllable.onset in self.also:
            yield (self.also[syllable.onset], *rest)

    def _onset(self, syllable: Syllable) -> tuple[str, ...]:
        if not syllable.glide:
            return (self.onsets[syllable.onset],)
        if syllable.onset in self.glided:
            return (self.glided[syllable.onset],)
        return (self.onsets[syllable.onset], "w") if syllable.onset else ("w",)

    def _rime(self, syllable: Syllable) -> _Rime:
        key = (syllable.nucleus, syllable.coda)
        if syllable.onset == "k" and syllable.glide and syllable.nucleus == "ô":
            return _NUCLEI["ô"], _CODAS[syllable.coda]  # quốc: the lips are rounded before, not after
        return self.rimes.get(key) or _SHORT.get(key) or (_NUCLEI[syllable.nucleus], _CODAS[syllable.coda])


DIALECTS = {
    "hanoi": Dialect(
        _ONSETS,
        _SHORT,
        {"ngang": "˨˨", "huyền": "˨˨", "sắc": "˨˦", "hỏi": "˨˩˨", "ngã": "˨ˀ˥", "nặng": "˨˩ˀ"},
        {"sắc": "˦˥", "nặng": "˨˩"},
    ),
    "saigon": Dialect(
        {**_ONSETS, **_SOUTH_OF_HANOI, "v": "j", "r": "ɹ"},
        _SAIGON,
        {"ngang": "˧˧", "huyền": "˨˩", "sắc": "˦˥", "hỏi": "˨˩˦", "ngã": "˨˩˦", "nặng": "˨˩˨"},
        {"sắc": "˦˥", "nặng": "˨˩˨"},
        glided={"k": "w", "h": "w", "ng": "w"},
        also={"r": "ɣ", "s": "s", "tr": "tɕ", "v": "v"},
    ),
    "hue": Dialect(
        {**_ONSETS, **_SOUTH_OF_HANOI, "r": "ʐ"},
        _HUE,
        {"ngang": "˧˥", "huyền": "˦˨", "sắc": "˩˧", "hỏi": "˧˩˨", "ngã": "˧˩˨", "nặng": "˨˩ˀ"},
        {"sắc": "˦˥", "nặng": "˨˩"},
    ),
}
