# SPDX-License-Identifier: Apache-2.0
"""HTML and SVG built from values, escaped unless it was built here.

Transcripts, file names and speaker names come from the open internet: a string is text, always.
Only `Html`, which `tag` makes, passes as it is.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

import msgspec

Attribute = str | float | bool | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: str | float | None, **attributes: Attribute) -> Html:
    """Return an element. A child that is not Html is escaped; a child or attribute that is None is left out.

    An attribute's trailing "_" goes and other "_" become "-": class_="x", aria_label="y".

    >>> tag("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    inner = join(children)
    return Html(f"<{name}{written}>{inner}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(text)}"'


def join(children: Iterable[str | float | None]) -> Html:
    """Put elements and text after one another."""
    known = (child for child in children if child is not None)
    return Html("".join(child if isinstance(child, Html) else html.escape(str(child)) for child in known))


def number(value: float) -> str:
    """Write a coordinate: at most two decimals.

    >>> number(3.10), number(2.0)
    ('3.1', '2')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def json_text(value: object) -> Html:
    """Return JSON that can stand inside a script element: no "<", ">" or "&", whatever its strings hold."""
    text = msgspec.json.encode(value).decode()
    return Html(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
