# SPDX-License-Identifier: Apache-2.0
"""What was purged is known again, and can't be read from the list."""

import pytest

from speechmill.core.errors import WorkspaceError
from speechmill.core.remote import Page, Ref
from speechmill.crawl.discovery import without_denied
from speechmill.store.denied import deny, item_name, read_denied
from speechmill.store.takedowns import crawled_id


def test_what_is_denied_is_known_again_and_nothing_else(tmp_path):
    assert not read_denied(tmp_path).holds("a" * 64)
    assert deny(tmp_path, "one", ["a" * 64, ""]) == 1
    assert deny(tmp_path, "two", ["a" * 64, "b" * 64]) == 1
    found = read_denied(tmp_path)
    assert found.holds("c", "b" * 64)
    assert not found.holds("c" * 64, "")
    assert [entry.certificate for entry in found.entries] == ["one", "two"]
    assert "aaaa" not in (tmp_path / "privacy" / "denied.json").read_text()


def test_a_broken_list_is_an_error(tmp_path):
    (tmp_path / "privacy").mkdir()
    (tmp_path / "privacy" / "denied.json").write_text("{}x")
    with pytest.raises(WorkspaceError, match="restore it"):
        read_denied(tmp_path)


def test_a_listing_shows_no_purged_item(tmp_path):
    deny(tmp_path, "one", [item_name(crawled_id("youtube", "dQw4w9WgXcQ"))])
    refs = tuple(Ref("youtube", id, f"https://example.org/{id}") for id in ("dQw4w9WgXcQ", "other"))
    page = without_denied(Page(refs, "next"), read_denied(tmp_path))
    assert [ref.id for ref in page.refs] == ["other"]
    assert page.cursor == "next"
