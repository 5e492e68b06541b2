# SPDX-License-Identifier: Apache-2.0
"""Which language a platform means: one platform says "en-GB", another "eng", a third a word that is no code at all."""

from __future__ import annotations

import re

_CODE = re.compile(r"[a-z]{2,3}")
_NONE = frozenset({"mis", "mul", "und", "zxx"})  # ISO 639-2: uncoded, several, undetermined, no speech
# Withdrawn, narrower or three-letter codes, and what the same language is called here.
_SAME = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "fil": "tl", "cmn": "zh", "nb": "no", "nob": "no"}
# ISO 639-2 (terminological and, where it differs, bibliographic) of every ISO 639-1 code.
_THREE = """
aa=aar ab=abk ae=ave af=afr ak=aka am=amh an=arg ar=ara as=asm av=ava ay=aym az=aze ba=bak be=bel bg=bul bh=bih bi=bis
bm=bam bn=ben bo=bod br=bre bs=bos ca=cat ce=che ch=cha co=cos cr=cre cs=ces cu=chu cv=chv cy=cym da=dan de=deu
dv=div dz=dzo ee=ewe el=ell en=eng eo=epo es=spa et=est eu=eus fa=fas ff=ful fi=fin fj=fij fo=fao fr=fra fy=fry
ga=gle gd=gla gl=glg gn=grn gu=guj gv=glv ha=hau he=heb hi=hin ho=hmo hr=hrv ht=hat hu=hun hy=hye hz=her ia=ina
id=ind ie=ile ig=ibo ii=iii ik=ipk io=ido is=isl it=ita iu=iku ja=jpn jv=jav ka=kat kg=kon ki=kik kj=kua kk=kaz
kl=kal km=khm kn=kan ko=kor kr=kau ks=kas ku=kur kv=kom kw=cor ky=kir la=lat lb=ltz lg=lug li=lim ln=lin lo=lao
lt=lit lu=lub lv=lav mg=mlg mh=mah mi=mri mk=mkd ml=mal mn=mon mr=mar ms=msa mt=mlt my=mya na=nau nd=nde ne=nep
ng=ndo nl=nld nn=nno no=nor nr=nbl nv=nav ny=nya oc=oci oj=oji om=orm or=ori os=oss pa=pan pi=pli pl=pol ps=pus
pt=por qu=que rm=roh rn=run ro=ron ru=rus rw=kin sa=san sc=srd sd=snd se=sme sg=sag si=sin sk=slk sl=slv sm=smo
sn=sna so=som sq=sqi sr=srp ss=ssw st=sot su=sun sv=swe sw=swa ta=tam te=tel tg=tgk th=tha ti=tir tk=tuk tl=tgl
tn=tsn to=ton tr=tur ts=tso tt=tat tw=twi ty=tah ug=uig uk=ukr ur=urd uz=uzb ve=ven vi=vie vo=vol wa=wln wo=wol
xh=xho yi=yid yo=yor za=zha zh=zho zu=zul hy=arm eu=baq my=bur cs=cze zh=chi nl=dut fr=fre ka=geo de=ger el=gre
is=ice mk=mac mi=mao ms=may fa=per ro=rum sk=slo bo=tib sq=alb cy=wel
"""
_TWO = {three: two for two, _, three in (pair.partition("=") for pair in _THREE.split())}


def primary(language: str | None) -> str | None:
    """Return the code of a language without its region and script; None where no language is stated.

    What is no ISO 639 code ("English", "unknown") states none: a word may not leave anything out.

    >>> primary("en-GB"), primary("eng"), primary("und"), primary("English")
    ('en', 'en', None, None)
    """
    code = (language or "").strip().lower().replace("_", "-").split("-")[0]
    if not _CODE.fullmatch(code) or code in _NONE:
        return None
    code = _SAME.get(code, code)
    return _TWO.get(code, code)
