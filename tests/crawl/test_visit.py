# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speechmill.core.errors import FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, RightsOverride, Wanted
from speechmill.core.types import Rights
from speechmill.crawl.redact import Redactor
from speechmill.crawl.visit import answer_to
from speechmill.crawl.workers import Answer, Asked
from speechmill.sources import Connection

REF = Ref("fake", "7", "https://fake.test/7")


class Backend:
    """Answers as it was told; an exception in place of an answer is raised."""

    def __init__(self, folder: Path, **answers: Any) -> None:
        self.num_requests = 0
        self.asked: list[Any] = []
        self._answers = answers
        self._folder = folder

    def discover(self, cursor: str | None) -> Page:
        return self._answer("discover", Page((REF,), "next"), cursor)

    def describe(self, ref: Ref) -> Description:
        return self._answer("describe", described(), ref.id)

    def captions(self, description: Description, languages: Any, kinds: Any) -> list[Caption]:
        return self._answer("captions", [Caption("vi", "manual", b"WEBVTT\n")], (tuple(languages), tuple(kinds)))

    def fetch(self, description: Description) -> Fetched:
        path = self._folder / "partial.wav"
        return self._answer("fetch", lambda: write(path), description.id)

    def reference(self, description: Description) -> str:
        return f"s3://theirs/{description.id}.wav"

    def close(self) -> None: ...

    def _answer(self, verb: str, usual: Any, told: Any) -> Any:
        self.num_requests += 1
        self.asked.append((verb, told))
        answer = self._answers.get(verb, usual)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer


def described(state: str = "cc-by", **fields: Any) -> Description:
    tracks = (CaptionTrack("vi", "manual"),)
    given = {"title": "Seven", "duration": 2.0, "rights": Rights(state=state), "tracks": tracks, **fields}
    return Description("fake", "7", REF.url, **given)


def write(path: Path, content: bytes = b"not really audio") -> Fetched:
    path.write_bytes(content)
    return Fetched(path, "../m4a", len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def visit(tmp_path: Path) -> Callable[..., tuple[Answer, Backend]]:
    """Visit item 7: visit(describe=FetchError(...), wanted=Wanted(...), verb="describe")."""

    def go(
        verb: Any = "visit",
        wanted: Wanted | None = None,
        max_bytes: int = 1 << 20,
        reference: bool = False,
        **answers: Any,
    ) -> tuple[Answer, Backend]:
        folder = tmp_path / "worker"
        folder.mkdir()
        backend = Backend(folder, **answers)
        connection = Connection(tmp_path, proxy="http://u:canary-secret@proxy.test:1", max_bytes=max_bytes)
        asked = Asked(
            "fake", wanted or Wanted(), connection, verb, ref=REF, language="vi", cursor="here", reference=reference
        )
        return answer_to(backend, asked, Redactor(["http://u:canary-secret@proxy.test:1"])), backend

    return go


def test_an_accepted_item_is_described_captioned_and_fetched(visit: Any, tmp_path: Path) -> None:
    answer, backend = visit()
    assert backend.asked == [("describe", "7"), ("captions", (("vi",), ("manual",))), ("fetch", "7")]
    assert (answer.error, answer.requests) == (None, 3)
    assert [caption.content for caption in answer.captions] == [b"WEBVTT\n"]
    assert answer.fetched.path.read_bytes() == b"not really audio"


def test_the_media_lies_in_the_owner_s_folder_whatever_its_extension_says(visit: Any, tmp_path: Path) -> None:
    answer, _ = visit()
    assert answer.fetched.path.parent == tmp_path
    assert answer.fetched.path.suffix == ".m4a"


@pytest.mark.parametrize("state", ["standard", "unstated"])
def test_nothing_is_fetched_of_what_is_held(visit: Any, state: str) -> None:
    answer, backend = visit(describe=described(state))
    assert (answer.decision.verdict, answer.decision.reason) == ("hold", f"licence-{state}")
    assert backend.asked == [("describe", "7")]
    assert answer.error is None


def test_nothing_is_fetched_where_the_licence_was_not_read(visit: Any) -> None:
    override = Wanted(rights=RightsOverride("contract", "file 7"))
    answer, backend = visit(describe=described("failed"), wanted=override)
    assert (answer.error.kind, answer.error.reason) == ("incomplete", "licence-failed")
    assert backend.asked == [("describe", "7")]


def test_describing_alone_fetches_nothing(visit: Any) -> None:
    answer, backend = visit("describe")
    assert answer.decision.verdict == "accept"
    assert backend.asked == [("describe", "7")]


def test_a_page_is_asked_for_by_its_cursor(visit: Any) -> None:
    answer, backend = visit("discover")
    assert answer.page == Page((REF,), "next")
    assert backend.asked == [("discover", "here")]


def test_the_description_is_kept_where_the_media_fails(visit: Any) -> None:
    answer, _ = visit(fetch=FetchError("incomplete", "cut-off", "by u:canary-secret@proxy.test"))
    assert answer.description.title == "Seven"
    assert (answer.error.kind, answer.error.reason) == ("incomplete", "cut-off")
    assert "canary-secret" not in str(answer.error)
    assert answer.fetched is None


def test_media_is_fetched_where_captions_never_come(visit: Any) -> None:
    answer, _ = visit(captions=FetchError("permanent", "no-captions"))
    assert (answer.error, answer.captions) == (None, ())
    assert answer.fetched is not None


def test_media_waits_for_captions_that_may_come(visit: Any) -> None:
    answer, backend = visit(captions=FetchError("rate", "too-many", retry_after=60.0))
    assert (answer.error.kind, answer.error.retry_after) == ("rate", 60.0)
    assert [verb for verb, _ in backend.asked] == ["describe", "captions"]


def test_a_backend_s_bug_is_a_format_error_without_secrets(visit: Any) -> None:
    answer, _ = visit(describe=KeyError("http://u:canary-secret@proxy.test:1"))
    assert (answer.error.kind, answer.error.reason) == ("format", "error-KeyError")
    assert "canary-secret" not in str(answer.error)


def test_a_full_disk_is_told_apart(visit: Any) -> None:
    answer, _ = visit(fetch=OSError(28, "No space left on device"))
    assert answer.error.reason == "disk-full"


def test_media_larger_than_allowed_is_deleted_and_never_asked_for_again(visit: Any, tmp_path: Path) -> None:
    answer, _ = visit(max_bytes=3)
    assert (answer.error.kind, answer.error.reason) == ("permanent", "too-large")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_turns_out_too_short_is_skipped_and_deleted(
    visit: Any, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    def tone() -> Fetched:
        path = tmp_path / "worker" / "partial.wav"
        make_tone(path, 0.5)
        return Fetched(path, "wav", path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())

    answer, _ = visit(fetch=tone, wanted=Wanted(min_duration_s=1.0))
    assert (answer.decision.verdict, answer.decision.reason) == ("skip", "too-short")
    assert answer.fetched is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_media_stays_is_told_only_where_that_is_asked_for(visit: Any) -> None:
    answer, _ = visit(reference=True)
    assert answer.reference == "s3://theirs/7.wav"


def test_media_is_copied_unless_something_else_is_asked_for(visit: Any) -> None:
    answer, _ = visit()
    assert answer.reference is None
