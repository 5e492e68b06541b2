# SPDX-License-Identifier: Apache-2.0
"""Licences as platforms word them, read so that a doubt never opens anything.

A licence is taken as open only where the whole text is the name or the address of one; prose around it ("CC BY,
except for the music") is no licence that a program can read. One rule for all: platforms, feeds, and what operators
write into tables and corpus files.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from speechmill.core.types import Rights

OPEN = frozenset(("cc-by", "public-domain"))
_MAX_CHARS = 300  # longer texts are prose
_PORT = (  # jurisdictions that licences were adapted to; "nc" and "nd" are none
    "ar|at|au|az|be|bg|br|ca|ch|cl|cn|co|cr|cz|de|dk|ec|ee|eg|es|fi|fr|ge|gr|gt|hk|hr|hu|ie|igo|il|in|it|jp|kr|lu|mk|"
    "mt|mx|my|nl|no|nz|pe|ph|pl|pt|pr|ro|rs|scotland|se|sg|si|th|tw|ua|ug|uk|us|vn|ve|za"
)
_NAMED_PORT = _PORT.replace("|no|", "|")  # "CC BY 3.0, no" says nothing of Norway
_VERSION = r"(?P<version>1\.0|2\.0|2\.1|2\.5|3\.0|4\.0)"
_TAIL = r"(?:/(?:deed|legalcode)(?:\.[a-z]{2,3}(?:[-_][a-z]{2,4})?)?)?/?"
_ADDRESS = re.compile(
    rf"(?:https?:)?//(?:www\.)?creativecommons\.org/licenses/(?P<code>by(?:-(?:nc|nd|sa)){{0,2}})/{_VERSION}"
    rf"(?:/(?:{_PORT}))?{_TAIL}"
)
_DEDICATION = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/"
    rf"(?:publicdomain/(?:(?P<zero>zero)|(?P<mark>mark))/(?P<version>1\.0)|licenses/publicdomain){_TAIL}"
)
_NAME = re.compile(
    r"(?:cc|creative commons):? (?:by|attribution)"
    r"(?P<parts>(?: (?:sa|share ?alike|nc|non ?commercial(?: use)?|nd|no ?deriv(?:ative)?s?(?: works)?)){0,2})"
    rf"(?: licen[cs]e)?(?: {_VERSION}(?: (?:{_NAMED_PORT}))?)?(?: (?:international|unported|generic))?"
    r"(?:(?: public)? licen[cs]e)?(?: \(reuse allowed\))?"
)
_ZERO = re.compile(
    r"(?:cc0|cc 0|cc zero|creative commons zero|creative commons cc0)(?: (?P<version>1\.0))?(?: universal)?"
)
_PUBLIC = re.compile(r"(?:(?:cc |creative commons )?public domain mark|pdm)(?: (?P<version>1\.0))?|public ?domain")
_NOTHING = re.compile(r"unknown|not specified|unspecified|n/a|none|-+|\?+")
_DENIAL = re.compile(
    r"\b(?:nc|nd|non ?commercial\w*|no ?deriv\w*|all rights? reserved|tous droits réservés|alle rechte vorbehalten|"
    r"todos los derechos reservados|todos os direitos reservados|tutti i diritti riservati|"
    r"bảo lưu mọi quyền|personal use|private use|not (?:for|in|under)|without (?:\w+ ){0,3}permission|"
    r"permission (?:is )?(?:required|needed)|non ?profit\w*|only for|"
    r"(?:uses?|purposes?|research|listening|education\w*) only)\b"
)


class Licence(Struct, frozen=True):
    """What a text says."""

    state: str  # cc-by, public-domain, standard, unstated; failed where the answer had no place for it
    name: str | None = None  # "CC BY-SA"; of what is not recognised the text as it stands
    version: str | None = None  # "4.0"

    @property
    def title(self) -> str | None:
        """The name with its version: "CC BY-SA 4.0"."""
        return f"{self.name} {self.version}" if self.name and self.version else self.name

    @property
    def address(self) -> str | None:
        """Where its text can be read; None for what has no version, or is not Creative Commons'."""
        if self.version is None or self.name is None:
            return None
        if self.name in _DEDICATIONS:
            return f"https://creativecommons.org/publicdomain/{_DEDICATIONS[self.name]}/{self.version}/"
        return f"https://creativecommons.org/licenses/{self.name.removeprefix('CC ').lower()}/{self.version}/"


UNSTATED = Licence("unstated")
_DEDICATIONS = {"CC0": "zero", "Public Domain Mark": "mark"}
_STATES = {
    "CC BY": "cc-by",
    "CC BY-SA": "cc-by",
    **dict.fromkeys((*_DEDICATIONS, "Public Domain"), "public-domain"),
}


def read_licence(text: str | None) -> Licence:
    """Read a licence's name or address. What is stated but not recognised is "standard".

    "cc-by" is what allows commercial use and changes: CC BY and CC BY-SA, not -NC and -ND.

    >>> read_licence("http://creativecommons.org/licenses/by-sa/3.0/us/")
    Licence(state='cc-by', name='CC BY-SA', version='3.0')
    >>> read_licence("CC BY 4.0, except for the music").state
    'standard'
    """
    written = " ".join(unicodedata.normalize("NFKC", text or "").split())
    plain = written.lower()
    words = " ".join(re.sub(r"[-_‐‑–]", " ", plain).split())
    if not written or _NOTHING.fullmatch(plain):
        return UNSTATED
    found = None if len(written) > _MAX_CHARS else _recognised(plain, words)
    if found is None:
        return Licence("standard", written[:_MAX_CHARS])
    name, version = found
    return Licence(_STATES.get(name, "standard"), name, version)


def _recognised(plain: str, words: str) -> tuple[str, str | None] | None:
    if match := _ADDRESS.fullmatch(plain):
        return _attribution(match.group("code").split("-")[1:]), match.group("version")
    if match := _DEDICATION.fullmatch(plain):
        return _dedication(bool(match.group("zero")), bool(match.group("mark"))), match.group("version")
    if match := _NAME.fullmatch(words):
        return _attribution(_parts(match.group("parts"))), match.group("version")
    if match := _ZERO.fullmatch(words):
        return "CC0", match.group("version")
    if match := _PUBLIC.fullmatch(words):
        return _dedication(False, "mark" in words or "pdm" in words), match.group("version")
    return None


def _dedication(zero: bool, mark: bool) -> str:
    return "CC0" if zero else "Public Domain Mark" if mark else "Public Domain"


def _parts(words: str) -> list[str]:
    """Return "sa", "nc", "nd" of their long names.

    >>> _parts(" non commercial share alike")
    ['nc', 'sa']
    """
    found = re.findall(r"sa|share ?alike|nc|non ?commercial|nd|no ?deriv", words)
    return ["sa" if part[0] == "s" else "nd" if part == "nd" or "deriv" in part else "nc" for part in found]


def _attribution(parts: Iterable[str]) -> str:
    return "-".join(["CC BY", *(part.upper() for part in parts)])


def stated_rights(stated: Rights, *, title: str, url: str, evidence: str | None, licence: str | None = None) -> Rights:
    """Return what an operator or a table states of an item, with a line of attribution where they have none.

    licence: where `stated` has none. evidence: where that stands, unless `stated` says it better.
    """
    text = stated.licence or licence
    read = Licence(read_licence(text).state, text)  # in the words that were given
    made = rights_of(read, title=title, author=None, url=url, evidence=stated.evidence or evidence)
    return replace(made, attribution=stated.attribution or made.attribution, consent=stated.consent)


def strictest(texts: Iterable[str | None]) -> Licence:
    """Return the licence that several statements of one thing leave: one that is not open outweighs those that are.

    >>> strictest(["CC BY 4.0", None, "all rights reserved"]).state
    'standard'
    """
    read = [licence for licence in map(read_licence, texts) if licence.state != "unstated"]
    closed = [licence for licence in read if licence.state not in OPEN]
    # The first that has a version says most.
    return next(iter(closed or sorted(read, key=lambda licence: licence.version is None)), UNSTATED)


def denies(notice: str | None) -> bool:
    """Tell whether a notice beside a licence takes back what it gives: "all rights reserved", "personal use only".

    >>> denies("© 2024 Ann"), denies("© 2024 Ann. All rights reserved.")
    (False, True)
    """
    text = unicodedata.normalize("NFKC", notice or "").lower()
    return bool(_DENIAL.search(" ".join(re.sub(r"[-_‐‑–]", " ", text).split())))


def rights_of(
    licence: Licence,
    *,
    title: str | None,
    author: str | None,
    url: str | None,
    evidence: str | None,
    seen: str | None = None,
) -> Rights:
    """Return the rights of an item with the line that names its maker.

    evidence: where the licence was read, and in which field; seen: ISO date of that, None: today (UTC).
    """
    day = seen or datetime.datetime.now(datetime.UTC).date().isoformat()
    terms = f"{licence.title} ({licence.address})" if licence.address else licence.title
    named = f'"{title}"' if title else None
    work = f"{named} by {author}" if named and author else named or author
    parts = [part for part in (work, url, terms) if part]
    attribution = f"{', '.join(parts)} (seen {day})" if licence.state in OPEN and parts else None
    return Rights(
        licence.title,
        licence.state,
        evidence=None if licence.state in ("unstated", "failed") else evidence,
        attribution=attribution,
        title=title,
        author=author,
        url=url,
        seen=day,
    )
