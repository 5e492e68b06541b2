# SPDX-License-Identifier: Apache-2.0
"""robots.txt by RFC 9309: the group of our name or of "*", the longest rule wins, `*` and `$` in paths.

The standard library's parser takes the first rule that fits instead of the longest, knows no `*` and `$`, and takes
one group where several have our name; so a rule such as `Disallow: /*.mp3$` would go unheeded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

MAX_BYTES = 512_000  # of a file; RFC 9309 wants at least 500 KiB read
_MAX_DELAY_S = 86_400.0


class Rule(Struct, frozen=True):
    """A path's beginning, with its wildcards."""

    pattern: str
    allowed: bool


class Robots(Struct, frozen=True):
    """What a site lets us ask."""

    rules: tuple[Rule, ...] = ()
    delay: float = 0.0  # seconds between two requests

    def allows(self, path: str) -> bool:
        """path: with its query, from the slash."""
        if path == "/robots.txt":
            return True
        path = _normal(path)
        fitting = [rule for rule in self.rules if _fits(rule.pattern, path)]
        # Of rules of the same length, the one that allows.
        return max(fitting, key=lambda rule: (len(rule.pattern), rule.allowed)).allowed if fitting else True


class _Group(Struct):
    agents: list[str]
    rules: list[Rule]
    delay: float = 0.0


def read_robots(content: bytes, agent: str) -> Robots:
    """Read the rules for a crawler by its product's name, in lower case. Lines that can't be read are passed over."""
    groups = _groups(content[:MAX_BYTES].decode("utf-8", errors="replace").removeprefix("\ufeff"))
    ours = [group for group in groups if agent in group.agents] or [group for group in groups if "*" in group.agents]
    rules = tuple(rule for group in ours for rule in group.rules)
    return Robots(rules, max((group.delay for group in ours), default=0.0))


def _groups(text: str) -> list[_Group]:
    groups: list[_Group] = []
    naming = False  # several names in a row share what follows
    for line in re.split(r"\r\n|\r|\n", text):
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            if not naming:
                groups.append(_Group([], []))
            groups[-1].agents.append(_product(value))
            naming = True
        elif key in ("allow", "disallow", "crawl-delay") and groups:
            naming = False
            _add(groups[-1], key, value)
    return groups


def _product(value: str) -> str:
    """Return the product's name alone: "Speechmill/1.0 (x)" is speechmill."""
    if value.startswith("*"):
        return "*"
    found = re.match(r"[A-Za-z_-]+", value)
    return found.group().lower() if found else ""


def _add(group: _Group, key: str, value: str) -> None:
    if key == "crawl-delay":
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
            group.delay = min(float(value), _MAX_DELAY_S)
    elif value:  # an empty rule says nothing
        group.rules.append(Rule(_normal(value), key == "allow"))


def _normal(path: str) -> str:
    """Bring two spellings of a path to one: escapes in upper case, and only where they are needed.

    >>> _normal("/a%2fb%7ec/é*")
    '/a%2Fb~c/%C3%A9*'
    """
    parts = re.split(r"(%[0-9A-Fa-f]{2})", path)
    for index in range(1, len(parts), 2):
        char = unquote_to_bytes(parts[index])
        plain = re.fullmatch(rb"[A-Za-z0-9._~-]", char)
        parts[index] = char.decode() if plain else parts[index].upper()
    parts[::2] = [quote(part, safe="/*$?&=+,;:@!'()[]%~") for part in parts[::2]]
    return "".join(parts)


def _fits(pattern: str, path: str) -> bool:
    """Tell whether a rule's path is the beginning of a path, in linear time."""
    ends = pattern.endswith("$")
    first, *others = (pattern[:-1] if ends else pattern).split("*")
    if not path.startswith(first):
        return False
    return _fits_after(path, len(first), others, ends)


def _fits_after(path: str, position: int, pieces: Sequence[str], ends: bool) -> bool:
    if not pieces:
        return position == len(path) or not ends
    for piece in pieces[:-1]:
        found = path.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    last = pieces[-1]
    if ends:
        return len(path) - len(last) >= position and path.endswith(last)
    return path.find(last, position) >= 0
