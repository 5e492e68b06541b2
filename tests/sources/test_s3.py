# SPDX-License-Identifier: Apache-2.0
import hashlib
import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Ref
from speechmill.sources import Connection
from speechmill.sources import s3 as source

_SPEC = importlib.util.spec_from_file_location("s3", Path(__file__).parents[1] / "services" / "s3.py")
assert _SPEC is not None
assert _SPEC.loader is not None
services = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(services)
Server = Any  # an S3Server, of a module that is loaded by its path


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    with services.S3Server() as server:
        yield server


@pytest.fixture
def server(one_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in one_server.environment.items():
        monkeypatch.setenv(name, value)
    one_server.heal()
    yield one_server
    one_server.heal()


class Place:
    """A prefix of a test's own."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.uri = f"s3://corpus/{folder.name}/talks"

    def put(self, name: str, content: bytes = b"sound") -> None:
        self.server.put(f"{self.folder.name}/talks/{name}", content)

    def backend(self, *, timeout_s: float = 5.0, max_bytes: int = 1 << 20, **fields: Any) -> source.Backend:
        config = source.Config(uri=self.uri, **fields)
        return source.Backend(config, Connection(self.folder, timeout_s=timeout_s, max_bytes=max_bytes))


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Place:
    return Place(server, tmp_path)


def names(refs: tuple[Ref, ...]) -> list[str]:
    return [ref.url.rpartition("/talks/")[2] for ref in refs]


def test_audio_files_are_listed_by_their_extension_in_the_order_of_keys(place: Place) -> None:
    for name in ("b.WAV", "a/one.mp3", "a/notes.txt", "a.flac", "a/.tmp-0123.mp3", "cover.jpg"):
        place.put(name)
    page = place.backend().discover(None)
    assert names(page.refs) == ["a.flac", "a/one.mp3", "b.WAV"]
    assert page.cursor is None
    assert names(place.backend(extensions=("wav",)).discover(None).refs) == ["b.WAV"]


def test_a_long_listing_comes_in_pages_that_go_on_after_the_last_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE", 10)
    for number in range(23):
        place.put(f"{number:02d}.{'txt' if number == 9 else 'mp3'}")
    found, cursor, cursors = [], None, []
    while True:
        page = place.backend().discover(cursor)
        found += names(page.refs)
        cursor = page.cursor
        cursors.append(cursor)
        if cursor is None:
            break
    assert cursors == ["09.txt", "19.mp3", None]
    assert found == [f"{number:02d}.mp3" for number in range(23) if number != 9]


def test_an_id_is_safe_and_the_same_under_whichever_prefix_it_is_found(place: Place) -> None:
    place.put("a/Tập 1: hi?.mp3")
    place.put("b/Tập 1: hi?.mp3")
    first, second = place.backend().discover(None).refs
    assert first.id.startswith("Tập_1__hi_-")
    assert first.id != second.id
    deeper = source.Backend(source.Config(uri=f"{place.uri}/a/"), Connection(place.folder)).discover(None)
    assert [ref.id for ref in deeper.refs] == [first.id]


def test_an_empty_prefix_is_an_empty_page(place: Place) -> None:
    page = place.backend().discover(None)
    assert (page.refs, page.cursor) == ((), None)


def test_a_description_has_name_date_language_and_the_stated_licence(place: Place) -> None:
    before = datetime.now(UTC).date()
    place.put("a/one.mp3")
    backend = place.backend(licence="CC BY 4.0", language="vi")
    ref = backend.discover(None).refs[0]
    of = backend.describe(ref)
    days = [day.isoformat() for day in (before, datetime.now(UTC).date())]  # two, at midnight
    assert (of.platform, of.id, of.title, of.language) == ("s3", ref.id, "one", "vi")
    assert of.date == ref.date
    assert of.date in days
    assert of.url == of.rights.url == f"{place.uri}/a/one.mp3"
    assert (of.licence, of.rights.state) == ("CC BY 4.0", "cc-by")
    assert of.rights.evidence == "licence of this source in the corpus file"
    assert of.rights.seen in days


@pytest.mark.parametrize(
    ("licence", "state"), [(None, "unstated"), ("CC BY-NC 4.0", "standard"), ("CC0", "public-domain")]
)
def test_a_stated_licence_is_sorted_as_that_of_local_files(place: Place, licence: str | None, state: str) -> None:
    place.put("one.mp3")
    backend = place.backend(licence=licence)
    assert backend.describe(backend.discover(None).refs[0]).rights.state == state


TABLE = (
    b"path\tlanguage\tlicence\tevidence\tconsent\tdate\tattribution\treference\n"
    b"a/one.mp3\tde\tCC BY-SA 3.0\thttps://example.org/terms\tform 7\t2020-02-03\tAnn\tclean/one.wav\n"
    b"two.mp3\t\t\t\t\t\t\t\n"
)


def test_recordings_tsv_says_of_a_key_what_it_says_of_a_local_file(place: Place) -> None:
    place.put("recordings.tsv", TABLE)
    place.put("a/one.mp3")
    place.put("clean/one.wav")
    place.put("two.mp3")
    backend = place.backend(licence="CC0", language="vi")
    refs = backend.discover(None).refs
    assert names(refs) == ["a/one.mp3", "two.mp3"]
    one, two = map(backend.describe, refs)
    assert (one.language, one.date, one.rights.licence, one.rights.state) == (
        "de",
        "2020-02-03",
        "CC BY-SA 3.0",
        "cc-by",
    )
    assert (one.rights.evidence, one.rights.consent) == ("https://example.org/terms", "form 7")
    assert one.rights.attribution == "Ann"
    assert (two.language, two.rights.licence, two.rights.state) == ("vi", "CC0", "public-domain")


def test_a_broken_table_opens_the_circuit_and_names_its_line(place: Place) -> None:
    place.put("recordings.tsv", b"path\tlicense\n")
    place.put("one.mp3")
    with pytest.raises(FetchError, match=r"talks/recordings\.tsv:1: unknown column 'license'") as caught:
        place.backend().discover(None)
    assert caught.value.kind == "format"
    assert list(place.folder.iterdir()) == []


def test_media_comes_whole_into_a_file_of_its_own(place: Place) -> None:
    content = b"sound" * 1000
    place.put("a/One.MP3", content)
    backend = place.backend()
    of = backend.describe(backend.discover(None).refs[0])
    first, second = backend.fetch(of), backend.fetch(of)
    assert first.path != second.path
    assert first.path.parent == place.folder
    assert first.path.read_bytes() == content
    assert (first.extension, first.size) == ("mp3", 5000)
    assert first.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_that_is_too_large_is_not_begun(place: Place) -> None:
    place.put("one.mp3", b"x" * 101)
    backend = place.backend(max_bytes=100)
    of = backend.describe(backend.discover(None).refs[0])
    with pytest.raises(FetchError, match="101 bytes") as caught:
        backend.fetch(of)
    assert (caught.value.kind, caught.value.reason) == ("permanent", "too-large")
    assert list(place.folder.iterdir()) == []


def test_a_key_that_is_gone_is_permanent(place: Place) -> None:
    ref = Ref("s3", "x", f"{place.uri}/gone.mp3")
    with pytest.raises(FetchError) as caught:
        place.backend().describe(ref)
    assert (caught.value.kind, caught.value.reason) == ("permanent", "missing")


def test_an_address_elsewhere_is_not_asked(place: Place) -> None:
    with pytest.raises(FetchError, match="not below"):
        place.backend().describe(Ref("s3", "x", "s3://other/one.mp3"))
    with pytest.raises(FetchError, match="not below"):
        place.backend().describe(Ref("s3", "x", f"{place.uri}-b/one.mp3"))


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("500", "net", "unavailable"),
        ("reset", "net", "unavailable"),
        ("503", "rate", "slow-down"),
        ("403", "format", "refused"),
        ("404", "format", "refused"),
    ],
)
def test_a_store_that_fails_is_no_item_s_fault(place: Place, fault: str, kind: str, reason: str) -> None:
    place.put("one.mp3", b"sound")
    of = place.backend().describe(place.backend().discover(None).refs[0])
    place.server.fail(fault, share=1)
    with pytest.raises(FetchError) as caught:
        place.backend(timeout_s=0.5).fetch(of)  # three times that, for a whole answer
    assert (caught.value.kind, caught.value.reason) == (kind, reason)
    assert services.TOKEN not in str(caught.value)
    assert list(place.folder.iterdir()) == []


def test_an_answer_that_breaks_off_is_completed(place: Place) -> None:
    content = bytes(range(256)) * 4000
    place.put("one.mp3", content)
    backend = place.backend()
    of = backend.describe(backend.discover(None).refs[0])
    place.server.fail("truncate", count=1)
    assert backend.fetch(of).path.read_bytes() == content


def test_a_name_that_the_library_cannot_list_is_said(place: Place) -> None:
    place.put("a//one.mp3")
    with pytest.raises(FetchError, match="rename the object") as caught:
        place.backend().discover(None)
    assert caught.value.kind == "format"


def test_requests_are_counted(place: Place) -> None:
    place.put("one.mp3")
    place.server.requests()
    backend = place.backend()
    backend.fetch(backend.describe(backend.discover(None).refs[0]))
    assert backend.num_requests == len(place.server.requests()) == 4  # the table, the list, the head, the object


def test_the_reference_is_the_object_s_own_address(place: Place) -> None:
    place.put("a b#1.mp3")
    backend = place.backend()
    of = backend.describe(backend.discover(None).refs[0])
    assert backend.reference(of) == f"{place.uri}/a b#1.mp3"


def test_hosts_are_the_server_that_the_environment_names(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    config = source.Config(uri="s3://corpus/x")
    assert source.hosts(config) == ("127.0.0.1",)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "*.amazonaws.com" in source.hosts(config)


@pytest.mark.parametrize("config", [source.Config(uri="/tmp/x"), source.Config(uri="s3://b/x", extensions=())])
def test_what_can_not_be_is_a_configuration_error(config: source.Config) -> None:
    with pytest.raises(ConfigError):
        source.check(config)
