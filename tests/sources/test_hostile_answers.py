# SPDX-License-Identifier: Apache-2.0
"""Answers with a field of any type in any place: a description, or a FetchError, and never a licence out of nothing."""

from __future__ import annotations

import copy
import json
import unicodedata
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from speechmill.core.errors import FetchError
from speechmill.core.remote import Description, Ref
from speechmill.sources import Connection, internet_archive, peertube, wikimedia_commons
from speechmill.sources._http import Response
from speechmill.sources._licences import OPEN

_UUID = "00000000-0000-4000-8000-000000000001"
_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.just("\u202eA\x1b[0m\n\ud800\x00"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
)
_ARCHIVE = {
    "files": [{"name": "1.mp3", "source": "original", "length": "9", "size": "3", "sha1": "0" * 40, "title": "One"}],
    "metadata": {"title": "A", "creator": "B", "date": "2024-05-01", "language": "vie", "licenseurl": "CC BY-NC 4.0"},
}
_TUBE = {
    "name": "A",
    "duration": 9,
    "licence": {"id": 4, "label": "Attribution - Non Commercial"},
    "privacy": {"id": 1},
    "state": {"id": 1},
    "account": {"name": "b", "displayName": "B", "host": "tube.test", "url": "https://tube.test/accounts/b"},
    "channel": {"name": "c", "host": "tube.test"},
    "files": [{"resolution": {"id": 240}, "fileUrl": "https://tube.test/1.mp4", "size": 3}],
    "streamingPlaylists": [],
    "data": [{"uuid": _UUID, "language": {"id": "vi"}, "captionPath": "/1.vtt", "isLocal": True}],
    "total": 1,
}
_COMMONS = {
    "query": {
        "pages": [
            {
                "pageid": 5,
                "title": "File:A.ogg",
                "videoinfo": [
                    {
                        "duration": 9,
                        "timestamp": "2024-05-01T00:00:00Z",
                        "user": "B",
                        "url": "https://upload.wikimedia.org/a.ogg",
                        "mediatype": "AUDIO",
                        "extmetadata": {"LicenseShortName": {"value": "CC BY-NC 4.0"}, "Artist": {"value": "B"}},
                        "timedtext": [{"srclang": "vi"}],
                    }
                ],
            }
        ]
    },
    "continue": {"gcmcontinue": "x", "continue": "-||"},
}


def _texts(value: Any) -> list[str]:
    """Return every text inside structs and containers."""
    found = msgspec.to_builtins(value)
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list | tuple) else ()
    return [found] if isinstance(found, str) else [text for part in inner for text in _texts(part)]


def _is_clean(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs") or char == "\u202e" for char in text)


class _Stub:
    """Answers everything with one JSON value."""

    def __init__(self, answer: Any) -> None:
        self._content = json.dumps(answer).encode()

    def json(self, url: str, **options: Any) -> Any:
        return json.loads(self._content)

    def get(self, url: str, **options: Any) -> Response:
        return Response(url, 200, {}, self._content)

    def close(self) -> None:
        """Hold nothing."""


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, part in inner for place in _places(part, (*path, name)))]


def _changed(answer: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(answer)
    part = changed
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return changed


_BACKENDS = {
    "internet_archive": (internet_archive, {"items": ("a",)}, _ARCHIVE, "a~1"),
    "peertube": (peertube, {"instance": "tube.test"}, _TUBE, _UUID),
    "wikimedia_commons": (wikimedia_commons, {"category": "A"}, _COMMONS, "5"),
}


@pytest.mark.parametrize("name", sorted(_BACKENDS))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_odd_fields_end_in_a_description_or_a_fetch_error(name, data, tmp_path):
    module, options, answer, id = _BACKENDS[name]
    place = data.draw(st.sampled_from(_places(answer)))
    backend = module.Backend(module.Config(**options), Connection(tmp_path))
    backend._client.close()
    backend._client = _Stub(_changed(answer, place, data.draw(_ANYTHING)))
    for ask in (lambda: backend.discover(None), lambda: backend.describe(Ref(name, id, "https://x.test"))):
        try:
            found: Any = ask()
        except FetchError as error:
            found = error.detail
        assert all(map(_is_clean, _texts(found)))
        if isinstance(found, Description):
            assert found.rights.state not in OPEN
            assert found.title
            assert found.duration is None or 0 < found.duration < 365 * 86_400


@pytest.mark.parametrize("token", ["a\x7fb", "a\x85b", "a\u202eb"])
def test_where_a_listing_goes_on_is_said_without_what_moves_a_terminal(token, tmp_path):
    module, options, answer, _id = _BACKENDS["wikimedia_commons"]
    backend = module.Backend(module.Config(**options), Connection(tmp_path))
    backend._client.close()
    backend._client = _Stub(_changed(answer, ("continue", "gcmcontinue"), token))
    cursor = backend.discover(None).cursor
    assert cursor is not None
    assert _is_clean(cursor)


@pytest.mark.parametrize("name", sorted(_BACKENDS))
def test_the_answer_as_it_is_gives_a_whole_description(name, tmp_path):
    module, options, answer, id = _BACKENDS[name]
    backend = module.Backend(module.Config(**options), Connection(tmp_path))
    backend._client.close()
    backend._client = _Stub(answer)
    described = backend.describe(Ref(name, id, "https://x.test"))
    assert (described.duration, described.author, described.rights.state) == (9.0, "B", "standard")
    assert backend.discover(None).refs[0].id == id
