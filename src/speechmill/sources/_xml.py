# SPDX-License-Identifier: Apache-2.0
"""XML of strangers: feeds and indexes, without entities, document types or anything external, and of bounded size."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from speechmill.core.errors import FetchError

_MAX_DEPTH = 64  # feeds have about six levels
_MAX_PARTS = 500_000  # elements and attributes; a feed of 10,000 episodes has some 400,000


class _Bounded(TreeBuilder):
    """A tree that stops growing."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._parts = 0

    def start(self, tag: Any, attrs: Any) -> Any:
        self._depth += 1
        self._parts += 1 + len(attrs)
        if self._depth > _MAX_DEPTH:
            raise FetchError("format", "xml-too-deep", f"elements are nested deeper than {_MAX_DEPTH}")
        if self._parts > _MAX_PARTS:
            raise FetchError("format", "xml-too-large", f"more than {_MAX_PARTS} elements and attributes")
        return super().start(tag, attrs)

    def end(self, tag: Any) -> Any:
        self._depth -= 1
        return super().end(tag)


def parse_xml(content: bytes, what: str) -> Element:
    """Return the root element. what: the document's name in messages.

    Raises FetchError: "incomplete" where it is cut off or broken, "format" where it has a document type or entities
    of its own, or is too large or too deep.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(content)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise FetchError("format", "xml-forbidden", f"{what}: {type(error).__name__}") from error
    except FetchError as error:
        raise FetchError(error.kind, error.reason, f"{what}: {error.detail}") from error
    except (ParseError, ValueError, LookupError) as error:
        raise FetchError("incomplete", "broken-xml", f"{what}: {error}") from error
    return root
