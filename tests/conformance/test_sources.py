# SPDX-License-Identifier: Apache-2.0
"""What every remote source keeps to: what its module says of itself, what it makes of trouble, and what it returns."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from tests.services.ports import free_port

from replica.fixtures import replica, replica_server  # noqa: F401
from replica.handle import Replica
from speechmill.core import registry
from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, Description, Page, Wanted
from speechmill.formats import captions
from speechmill.sources import Connection, RemoteBackend

HEAVY = {"alembic", "av", "defusedxml", "numpy", "obstore", "requests", "socks", "sqlalchemy", "urllib3", "yt_dlp"}
NAMES = [name for name in registry.names("sources") if getattr(registry.load("sources", name), "REMOTE", False)]
NONSENSE = {
    "http": [
        {"url": "file:///etc/passwd"},
        {"url": "https://a:b@x.test/"},
        {"url": "https://x.test/", "licence": "CC0"},
    ],
    "internet_archive": [{}, {"items": ("../etc",)}, {"items": ("a",), "query": "b"}],
    "peertube": [{"instance": ""}, {"instance": "https://a:b@x.test"}, {"instance": "x.test", "channel": "a/../b"}],
    "podcast": [{}, {"feed": "ftp://x.test/"}, {"feed": "https://a:b@x.test/"}],
    "s3": [{"uri": "ftp://x/"}, {"uri": "s3://"}, {"uri": "s3://bucket/a", "extensions": ()}],
    "wikimedia_commons": [{}, {"category": "a", "search": "b"}],
    "youtube": [{}, {"search": " "}, {"video": "../../x"}, {"search": "a", "playlist": "b"}],
}
# What the replica has, and the path whose answer starts each listing.
SITES: dict[str, tuple[dict[str, Any], str]] = {
    "internet_archive": ({"query": "x"}, "/services/search/v1/scrape"),
    "peertube": ({"instance": "tube.test"}, "/api/v1/videos"),
    "podcast": ({"feed": "https://feeds.test/show.xml"}, "/show.xml"),
    "wikimedia_commons": ({"category": "x"}, "/w/api.php"),
    "youtube": ({"search": "a"}, "/youtubei/v1/search"),
}
OTHERS: dict[str, dict[str, Any]] = {"http": {"url": "https://files.test/"}, "s3": {"uri": "s3://bucket/talks"}}
ANY = {**{name: options for name, (options, _) in SITES.items()}, **OTHERS}

every_source = pytest.mark.parametrize("name", NAMES)
every_site = pytest.mark.parametrize("name", sorted(SITES))
Open = Callable[..., RemoteBackend]


def module_of(name: str) -> ModuleType:
    return registry.require("sources", name)


@contextmanager
def opened(name: str, folder: Path, proxy: str | None, **options: Any) -> Iterator[RemoteBackend]:
    module: Any = module_of(name)
    config = module.Config(**options)
    if hasattr(module, "check"):
        module.check(config)
    backend: RemoteBackend = module.Backend(config, Connection(folder, proxy=proxy, timeout_s=2.0))
    try:
        yield backend
    finally:
        backend.close()


@pytest.fixture
def open_site(replica: Replica, tmp_path: Path) -> Open:  # noqa: F811
    return lambda name: opened(name, tmp_path, replica.proxy(), **SITES[name][0])  # type: ignore[return-value]


def failure(call: Callable[[], object]) -> FetchError:
    with pytest.raises(FetchError) as caught:
        call()
    return caught.value


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside structs and containers."""
    found = msgspec.to_builtins(value)
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list | tuple) else ()
    if isinstance(found, str):
        yield found
    for part in inner:
        yield from texts(part)


def is_clean(text: str) -> bool:
    """Tell whether a text can go into a table, a database and a terminal: no controls, no half characters, no turns."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") or char in "\u202a\u202b\u202d\u202e" for char in text)


def test_every_source_of_ours_is_tested_here():
    ours = [name for name in NAMES if module_of(name).__name__.startswith("speechmill.")]
    assert sorted(NONSENSE) == sorted(ANY) == ours


@every_source
def test_a_module_says_what_the_contract_asks(name):
    module: Any = module_of(name)
    assert isinstance(module.VERSION, str)
    assert all(isinstance(requirement, str) for requirement in module.REQUIRES)
    assert module.BUDGET is None or module.BUDGET > 0
    assert issubclass(module.Config, Wanted)
    assert module.HOSTS or hasattr(module, "hosts")
    config = module.Config(**ANY[name])
    hosts = module.hosts(config) if hasattr(module, "hosts") else module.HOSTS
    assert hosts
    assert all(re.fullmatch(r"(http://)?(\*|(\*\.)?[\w.-]+(:\d+)?)", host) for host in hosts)
    assert re.fullmatch(r"[a-z]+", module.kind(config))


@every_source
def test_every_field_of_a_config_says_what_it_is(name):
    config = module_of(name).Config
    own = [field for field in config.__struct_fields__ if field not in Wanted.__struct_fields__]
    source = inspect.getsource(config)
    assert own
    assert [field for field in own if not re.search(rf"^    {field}: .*# \S", source, re.MULTILINE)] == []


@every_source
def test_an_unknown_field_is_refused(name):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**ANY[name], "frobnicate": 1}, module_of(name).Config)


@every_source
def test_a_config_that_makes_no_sense_is_refused(name):
    module: Any = module_of(name)
    for options in NONSENSE[name]:
        with pytest.raises(ConfigError, match=f"{name}: |names no bucket"):
            module.check(module.Config(**options))


@every_source
def test_a_config_is_checked_and_described_without_anything_heavy(name):
    code = (
        f"import json, sys\nfrom speechmill.core import registry\nmodule = registry.load('sources', {name!r})\n"
        f"config = module.Config(**{ANY[name]!r})\nmodule.kind(config)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


@every_source
def test_a_network_that_is_dead_is_no_fault_of_the_platform(name, tmp_path, monkeypatch):
    port = free_port()  # and nothing will listen there
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-1234")
    proxy = None if name == "s3" else f"http://user:canary-secret-1234@127.0.0.1:{port}"
    with opened(name, tmp_path, proxy, **ANY[name]) as backend:
        error = failure(lambda: backend.discover(None))
    assert error.kind == "net"
    assert "canary" not in f"{error} {error.__cause__} {error.__context__}"
    assert is_clean(error.detail)


@every_site
@pytest.mark.parametrize(
    ("status", "kinds"),
    [(429, {"rate"}), (500, {"net"}), (404, {"permanent", "format"}), (200, {"incomplete", "format"})],
    ids=["limited", "broken", "gone", "empty"],
)
def test_a_listing_that_is_refused_is_told_by_its_status(name, status, kinds, open_site, replica):  # noqa: F811
    replica.control(status={SITES[name][1]: status})
    with open_site(name) as backend:
        error = failure(lambda: backend.discover(None))
        assert error.kind in kinds
        assert (error.retry_after is not None) == (status == 429)
        replica.control(restore=True)
        assert backend.discover(None).refs


@every_site
def test_what_comes_back_is_clean_and_nothing_but_the_contracts(name, open_site, tmp_path):
    with open_site(name) as backend:
        page = backend.discover(None)
        described = [found for ref in page.refs[:4] if (found := described_or_none(backend, ref)) is not None]
        assert backend.num_requests > 0
    assert described
    for found, type_ in [(page, Page), *((one, Description) for one in described)]:
        assert msgspec.json.decode(msgspec.json.encode(found), type=type_, strict=True) == found
        assert [text for text in texts(found) if not is_clean(text)] == []
    for one in described:
        assert (one.platform, one.rights.state in ("cc-by", "public-domain")) == (
            name,
            one.rights.attribution is not None,
        )
        assert one.rights.evidence or one.rights.state == "unstated"
        assert one.rights.seen is not None


def described_or_none(backend: RemoteBackend, ref: Any) -> Description | None:
    try:
        return backend.describe(ref)
    except FetchError:
        return None  # some of the replica's items can't be had


@every_site
def test_captions_are_webvtt_that_can_be_read(name, open_site, tmp_path):
    with open_site(name) as backend:
        refs = backend.discover(None).refs
        found = next(one for ref in refs if (one := described_or_none(backend, ref)) is not None and one.tracks)
        given: list[Caption] = list(backend.captions(found, (), ("manual", "automatic")))
        assert {(one.language, one.kind) for one in given} <= {(one.language, one.kind) for one in found.tracks}
        assert list(backend.captions(found, ("xx",), ("manual", "automatic"))) == []
    assert given
    for one in given:
        path = tmp_path / "captions.vtt"
        path.write_bytes(one.content)
        rolling = captions.read_rolling(path)
        assert rolling is None or one.kind == "automatic"
        read = rolling or captions.read(path)
        assert read
        assert all(cue.text for cue in read)
