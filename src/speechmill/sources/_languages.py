# SPDX-License-Identifier: Apache-2.0
"""Languages as platforms write them: "Vietnamese", "vie", "vi", "en_US", by their shortest ISO 639 code.

And whether two of them mean the same language.
"""

from __future__ import annotations

import functools
import re

# ISO 639-1, ISO 639-2 (both codes where there are two), English names. What has no line keeps the code it has.
_TABLE = """
af afr afrikaans
am amh amharic
ar ara arabic
as asm assamese
az aze azerbaijani
ba bak bashkir
be bel belarusian
bg bul bulgarian
bm bam bambara
bn ben bengali,bangla
bo bod,tib tibetan
br bre breton
bs bos bosnian
ca cat catalan,valencian
co cos corsican
cs ces,cze czech
cy cym,wel welsh
da dan danish
de deu,ger german
dv div divehi,dhivehi
ee ewe ewe
el ell,gre greek,modern greek
en eng english
eo epo esperanto
es spa spanish,castilian
et est estonian
eu eus,baq basque
fa fas,per persian,farsi
ff ful fulah,fula
fi fin finnish
fj fij fijian
fo fao faroese
fr fra,fre french
fy fry western frisian,frisian
ga gle irish
gd gla scottish gaelic,gaelic
gl glg galician
gn grn guarani
gu guj gujarati
ha hau hausa
he heb hebrew
hi hin hindi
hr hrv croatian
ht hat haitian creole,haitian
hu hun hungarian
hy hye,arm armenian
ia ina interlingua
id ind indonesian
ig ibo igbo
io ido ido
is isl,ice icelandic
it ita italian
ja jpn japanese
jv jav javanese
ka kat,geo georgian
kk kaz kazakh
kl kal greenlandic,kalaallisut
km khm khmer
kn kan kannada
ko kor korean
ku kur kurdish
ky kir kyrgyz,kirghiz
la lat latin
lb ltz luxembourgish
lg lug ganda,luganda
ln lin lingala
lo lao lao
lt lit lithuanian
lv lav latvian
mg mlg malagasy
mi mri,mao maori
mk mkd,mac macedonian
ml mal malayalam
mn mon mongolian
mr mar marathi
ms msa,may malay
mt mlt maltese
my mya,bur burmese
nb nob norwegian bokmål
ne nep nepali
nl nld,dut dutch,flemish
nn nno norwegian nynorsk,nynorsk
no nor norwegian
ny nya nyanja,chichewa
oc oci occitan
om orm oromo
or ori odia,oriya
pa pan punjabi,panjabi
pl pol polish
ps pus pashto
pt por portuguese
qu que quechua
rm roh romansh
rn run rundi,kirundi
ro ron,rum romanian
ru rus russian
rw kin kinyarwanda
sa san sanskrit
sc srd sardinian
sd snd sindhi
se sme northern sami
si sin sinhala,sinhalese
sk slk,slo slovak
sl slv slovenian
sm smo samoan
sn sna shona
so som somali
sq sqi,alb albanian
sr srp serbian
st sot southern sotho,sesotho
su sun sundanese
sv swe swedish
sw swa swahili
ta tam tamil
te tel telugu
tg tgk tajik
th tha thai
ti tir tigrinya
tk tuk turkmen
tl tgl tagalog
tn tsn tswana
to ton tongan
tr tur turkish
ts tso tsonga
tt tat tatar
tw twi twi
ug uig uyghur,uighur
uk ukr ukrainian
ur urd urdu
uz uzb uzbek
ve ven venda
vi vie vietnamese
vo vol volapük
wa wln walloon
wo wol wolof
xh xho xhosa
yi yid yiddish
yo yor yoruba
zh zho,chi chinese,mandarin,mandarin chinese
zu zul zulu
yue yue cantonese
fil fil filipino
haw haw hawaiian
grc grc ancient greek
ceb ceb cebuano
"""
# Withdrawn codes, and parts of a language that platforms give its name.
_SAME = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "fil": "tl", "cmn": "zh", "nb": "no", "nob": "no"}
_NONE = frozenset(("und", "mul", "zxx", "mis", "unknown", "multiple", "multilingual", "none"))


@functools.cache
def _codes() -> dict[str, str]:
    table = {}
    for line in _TABLE.strip().splitlines():
        short, codes, names = line.split(" ", 2)
        table.update(dict.fromkeys([short, *codes.split(","), *names.split(",")], short))
    return table


def language_of(written: str | None) -> str | None:
    """Return the code of a language, with what follows it in a tag; None where it is not one, or several.

    >>> language_of("Vietnamese"), language_of("vie"), language_of("en_US"), language_of("Klingonish")
    ('vi', 'vi', 'en-us', None)
    """
    if written is None or len(written) > 80:
        return None
    text = " ".join(written.lower().split()).strip(" .;,")
    if not text or text in _NONE:
        return None
    if text in _codes():
        return _codes()[text]
    match = re.fullmatch(r"([a-z]{2,3})((?:[-_][a-z0-9]{2,8}){0,3})", text)
    if match is None or match.group(1) in _NONE:
        return None
    return _codes().get(match.group(1), match.group(1)) + match.group(2).replace("_", "-")


def primary(language: str | None) -> str | None:
    """Return the code of a language without its region and script; None where no language is stated.

    >>> primary("en-GB"), primary("eng"), primary("English"), primary("iw"), primary("und"), primary("Klingonish")
    ('en', 'en', 'en', 'he', None, None)
    """
    code = (language_of(language) or "").partition("-")[0]
    return _SAME.get(code, code) or None


def serves(wanted: str, given: str) -> bool:
    """Say whether what is in `given` serves who asked for `wanted`: a bare language takes any region or script of it.

    >>> serves("en", "en-GB"), serves("en-GB", "en"), serves("he", "iw"), serves("zh-Hans", "zh-Hant")
    (True, False, True, False)
    """
    return _parts(given)[: len(_parts(wanted))] == _parts(wanted)


def _parts(tag: str) -> list[str]:
    first, *rest = tag.lower().replace("_", "-").split("-")
    return [primary(first) or first, *rest]
