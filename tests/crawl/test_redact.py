# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
import json
import logging
import pickle
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Description
from speechmill.core.types import Rights
from speechmill.crawl.redact import Redactor, secret_of

PASSWORD = "cañary/p+ss:w@rd!"
PROXY = f"http://customer-7:{quote(PASSWORD, safe='')}@proxy.example.org:8080"
COOKIE = "canary-cookie-3f9a"


@pytest.mark.parametrize(
    "spelt",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD),
        quote(PASSWORD, safe="").lower(),
        json.dumps(PASSWORD)[1:-1],
        repr(PASSWORD)[1:-1],
        base64.b64encode(f"customer-7:{PASSWORD}".encode()).decode(),
        base64.b64encode(f"other:{PASSWORD}".encode()).decode(),
        base64.urlsafe_b64encode(f"{PASSWORD}?".encode()).decode(),
    ],
)
def test_a_password_is_found_in_every_spelling(spelt):
    said = Redactor([PROXY])(f"<{spelt}>")
    assert "***" in said
    assert len(said) <= 14  # no more than a few signs beside it are left of the base64


def test_what_is_no_secret_stays():
    text = "407 from http://proxy.example.org:8080/ for https://example.org/a@b?x=1"
    assert Redactor([PROXY, COOKIE])(text) == text


def test_without_secrets_nothing_is_replaced():
    assert Redactor([])("nothing") == "nothing"


def test_an_empty_or_tiny_value_does_not_mask_every_word():
    assert Redactor(["", "a", "abc", "http://user:x@h"])("a user saw abc") == "a user saw abc"


def test_credentials_in_an_address_are_masked_though_nobody_named_them():
    assert Redactor([])("via socks5h://me:pw@10.0.0.1:1080 failed") == "via socks5h://***@10.0.0.1:1080 failed"
    assert Redactor([])("http://me:p@w@h/") == "http://***@h/"


@pytest.mark.parametrize("header", ["Cookie", "Set-Cookie", "Authorization", "Proxy-Authorization", "cookie"])
def test_headers_that_carry_credentials_are_masked_though_nobody_named_them(header):
    assert Redactor([])(f"sent {header}: a=b; c=d\nHost: x") == f"sent {header}: ***\nHost: x"


def test_a_longer_secret_is_masked_whole_where_a_shorter_one_is_its_start():
    assert Redactor(["canary", "canary-long"])("canary-long canary") == "*** ***"


def test_a_proxys_user_is_masked_where_it_is_no_ordinary_word():
    assert Redactor([PROXY])("account customer-7 is out of credit") == "account *** is out of credit"


def test_a_struct_is_redacted_through_and_through():
    stored = Description(
        "p", "1", f"https://x/?k={COOKIE}", "t", rights=Rights(evidence=f"seen with {COOKIE}"), missing=(COOKIE,)
    )
    clean = Redactor([COOKIE]).value(stored)
    assert clean.url == "https://x/?k=***"
    assert clean.rights.evidence == "seen with ***"
    assert clean.missing == ("***",)
    assert clean.title == "t"


def test_metadata_that_only_looks_like_a_header_stays():
    assert Redactor([COOKIE]).value(["Cookie: a recipe"]) == ["Cookie: a recipe"]


def test_an_error_inside_a_value_becomes_its_message():
    assert Redactor([COOKIE]).value({"error": OSError(f"bad {COOKIE}")}) == {"error": "OSError: bad ***"}


def test_bytes_that_are_no_text_are_searched_too():
    assert Redactor(["cañary"]).value(b"\xff " + "cañary".encode()) == b"\xff ***"


def test_plain_containers_are_redacted():
    value = {"a": [COOKIE, 1, None], COOKIE: {"b": COOKIE.encode()}, "path": Path("x") / COOKIE}
    assert Redactor([COOKIE]).value(value) == {
        "a": ["***", 1, None],
        "***": {"b": b"***"},
        "path": Path("x") / "***",
    }


def test_an_error_keeps_its_type_and_loses_its_secrets_and_its_cause():
    try:
        try:
            raise ValueError(COOKIE)
        except ValueError as cause:
            raise FetchError("rate", "too-many", f"cookie {COOKIE}", retry_after=3.0) from cause
    except FetchError as raised:
        clean = Redactor([COOKIE]).error(raised)
    assert isinstance(clean, FetchError)
    assert str(clean) == "too-many: cookie ***"
    assert (clean.kind, clean.detail, clean.retry_after) == ("rate", "cookie ***", 3.0)
    assert clean.__cause__ is None
    assert clean.__context__ is None


def test_an_operating_systems_error_keeps_its_number():
    clean = Redactor([COOKIE]).error(OSError(2, "no such file", f"/tmp/{COOKIE}"))
    assert (type(clean), clean.errno, clean.filename) == (FileNotFoundError, 2, "/tmp/***")


def test_a_log_holds_no_secret_in_message_arguments_tracebacks_or_extras():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(way)s"))
    handler.addFilter(Redactor([COOKIE, PROXY]).filter())
    logger = logging.getLogger("speechmill.test-redact")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        raise RuntimeError(f"jar {COOKIE}")
    except RuntimeError:
        logger.exception("cookie %s", COOKIE, extra={"way": PROXY}, stack_info=True)
    finally:
        logger.removeHandler(handler)
    said = stream.getvalue()
    assert COOKIE not in said
    assert quote(PASSWORD, safe="") not in said
    assert said.startswith("cookie *** http://***@proxy.example.org:8080\n")
    assert "RuntimeError: jar ***" in said


def test_a_redactor_tells_nothing_of_itself_and_can_be_sent_to_a_worker():
    redact = Redactor([COOKIE])
    assert repr(redact) == "Redactor()"
    assert pickle.loads(pickle.dumps(redact))(COOKIE) == "***"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6, max_size=30), st.binary(max_size=7))
def test_no_secret_is_left_in_any_text_or_in_its_base64(secret, before):
    redact = Redactor([f"x{secret}"])
    assert f"x{secret}" not in redact(f"a x{secret} b")
    spelt = base64.b64encode(before + f"x{secret}".encode()).decode()
    assert redact(spelt) != spelt


def test_a_secret_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CANARY_PROXY", f" {PROXY}\n")
    assert secret_of(env="CANARY_PROXY") == PROXY


def test_a_secret_is_read_from_a_file_beside_the_corpus(tmp_path):
    (tmp_path / "proxy").write_text(f"{PROXY}\n", encoding="utf-8")
    assert secret_of(file="proxy", base=tmp_path) == PROXY
    assert secret_of(file=str(tmp_path / "proxy")) == PROXY


def test_a_reference_that_leads_nowhere_says_which(tmp_path, monkeypatch):
    monkeypatch.delenv("CANARY_PROXY", raising=False)
    with pytest.raises(ConfigError, match=r"egress eu: the environment variable CANARY_PROXY is not set"):
        secret_of(env="CANARY_PROXY", what="egress eu")
    with pytest.raises(ConfigError, match=r"egress eu: .*absent: No such file"):
        secret_of(file="absent", base=tmp_path, what="egress eu")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"empty: empty"):
        secret_of(file="empty", base=tmp_path)


@pytest.mark.parametrize("references", [{}, {"env": "A", "file": "b"}])
def test_a_secret_has_one_reference(references):
    with pytest.raises(ConfigError, match="and not both"):
        secret_of(**references)


@pytest.mark.parametrize("content", [f"{PASSWORD}\n{PASSWORD}".encode(), b"\xff" + COOKIE.encode()])
def test_a_file_that_is_no_secret_is_refused_without_its_content(tmp_path, content):
    (tmp_path / "proxy").write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        secret_of(file="proxy", base=tmp_path)
    shown = f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    assert COOKIE not in shown
    assert PASSWORD not in shown
