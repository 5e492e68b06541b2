# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from speechmill.core.errors import ConfigError
from speechmill.crawl.cookies import Cookie, discard, own_copy, parse, read_jar, secrets_in
from speechmill.pipeline.crawl_options import Cookies

YOUTUBE = ("youtube.com", "*.youtube.com", "*.googlevideo.com")
NOW = 1_700_000_000.0
CANARY = "canary-3f9a-77"
FILE = f"""# Netscape HTTP Cookie File
# a comment

.youtube.com\tTRUE\t/\tTRUE\t1800000000\tSAPISID\t{CANARY}
#HttpOnly_.youtube.com\tTRUE\t/\tTRUE\t1800000000.5\tLOGIN_INFO\tlogin-{CANARY}
www.youtube.com\tFALSE\t/\tFALSE\t0\tPREF\ten
.youtube.com\tTRUE\t/\tTRUE\t1600000000\tOLD\told-{CANARY}
.google.com\tTRUE\t/\tTRUE\t1800000000\tSID\tother-{CANARY}
.notyoutube.com\tTRUE\t/\tTRUE\t1800000000\tX\tother-{CANARY}
.com\tTRUE\t/\tTRUE\t1800000000\tSUPER\tother-{CANARY}
"""


@pytest.fixture
def jar_file(tmp_path: Path) -> Path:
    path = tmp_path / "cookies.txt"
    path.write_text(FILE, encoding="utf-8")
    path.chmod(0o600)
    return path


def read(path: Path | str, **options):
    return read_jar(Cookies(file=str(path), egress="home"), "youtube", YOUTUBE, NOW, **options)


def test_only_cookies_of_the_platform_that_still_last_are_taken(jar_file):
    jar = read(jar_file)
    assert [cookie.name for cookie in jar.cookies] == ["SAPISID", "LOGIN_INFO", "PREF"]
    assert jar.egress == "home"


def test_expired_cookies_are_named(jar_file):
    assert read(jar_file).notes == ("crawl.cookies.youtube: expired, and left out: OLD",)


def test_a_file_is_found_beside_the_corpus(jar_file):
    assert len(read("cookies.txt", base=jar_file.parent).cookies) == 3


def test_a_file_that_others_may_read_is_noted(jar_file):
    jar_file.chmod(0o644)
    assert "chmod 600" in read(jar_file).notes[0]


def test_cookies_that_expire_during_a_crawl_are_noticed(jar_file):
    jar = read(jar_file)
    assert jar.expired(NOW) == ()
    assert jar.expired(1_800_000_000.0) == ("SAPISID",)
    assert jar.expired(1_900_000_000.0) == ("LOGIN_INFO", "SAPISID")


def test_values_that_identify_somebody_are_told_to_the_redactor(jar_file):
    assert read(jar_file).secrets == (CANARY, f"login-{CANARY}")


def test_a_jar_shows_no_value(jar_file):
    jar = read(jar_file)
    assert CANARY not in f"{jar!r} {jar.cookies[0]!r} {jar.cookies!s}"


def test_a_copy_is_private_and_holds_what_the_jar_does(jar_file, tmp_path):
    jar = read(jar_file)
    copy = jar.write(tmp_path / "private")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert [(c.name, c.value, c.domain, c.http_only) for c in parse(copy.read_text(), "copy")] == [
        ("SAPISID", CANARY, ".youtube.com", False),
        ("LOGIN_INFO", f"login-{CANARY}", ".youtube.com", True),
        ("PREF", "en", "www.youtube.com", False),
    ]
    assert secrets_in(copy) == jar.secrets


def test_a_copy_is_private_whatever_the_umask(jar_file, tmp_path):
    before = os.umask(0)
    try:
        copy = read(jar_file).write(tmp_path / "private")
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_each_worker_has_a_copy_of_its_own_and_the_original_stays_as_it_was(jar_file, tmp_path):
    first = read(jar_file).write(tmp_path / "private")
    second = own_copy(first, tmp_path / "worker")
    assert second != first
    second.write_text("changed by a library")
    assert CANARY in first.read_text()
    discard(second)
    discard(second)
    assert not second.exists()
    assert jar_file.read_text(encoding="utf-8") == FILE


def test_yt_dlp_reads_a_copy_without_a_word(jar_file, tmp_path, capsys):
    cookies = pytest.importorskip("yt_dlp.cookies")
    jar = cookies.YoutubeDLCookieJar(str(read(jar_file).write(tmp_path / "private")))
    jar.load()
    assert {cookie.name: cookie.value for cookie in jar} == {
        "SAPISID": CANARY,
        "LOGIN_INFO": f"login-{CANARY}",
        "PREF": "en",
    }
    assert capsys.readouterr() == ("", "")


def test_the_last_of_two_cookies_of_one_name_counts():
    line = "x.org\tFALSE\t/\tFALSE\t0\tA\t"
    assert parse(f"{line}1\n{line}2\n", "f") == [Cookie("x.org", "/", False, None, "A", "2")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f".youtube.com TRUE / TRUE 0 A {CANARY}", "cookies.txt:1: 1 fields in place of 7"),
        (f".youtube.com\tTRUE\t/\tTRUE\t0\tA\t{CANARY}\tx", "8 fields in place of 7"),
        (f".youtube.com\tyes\t/\tTRUE\t0\tA\t{CANARY}", "subdomains is neither TRUE nor FALSE"),
        (f".youtube.com\tTRUE\t/\t{CANARY}\t0\tA\tx", "secure is neither TRUE nor FALSE"),
        (f".youtube.com\tTRUE\t/\tTRUE\t{CANARY}\tA\tx", "expiry is no number"),
        (f".youtube.com\tTRUE\t/\tTRUE\t0\tA\t{CANARY}\x00", "control characters"),
        (f"\tTRUE\t/\tTRUE\t0\tA\t{CANARY}", "no domain"),
        (f'[{{"name": "A", "value": "{CANARY}"}}]', "is JSON"),
        ("# Netscape HTTP Cookie File", "none of 0 cookies is of youtube.com"),
        (f".google.com\tTRUE\t/\tTRUE\t0\tA\t{CANARY}", "none of 1 cookies is of youtube.com"),
        (f".youtube.com\tTRUE\t/\tTRUE\t1\tA\t{CANARY}", "all 1 cookies have expired"),
    ],
)
def test_what_is_no_jar_is_refused_without_its_values(tmp_path, line, said):
    path = tmp_path / "cookies.txt"
    path.write_text(line, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said) as raised:
        read(path)
    assert CANARY not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"


def test_a_file_that_is_absent_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="absent: No such file"):
        read(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00" * 9)
    with pytest.raises(ConfigError, match="binary:1: 1 fields"):
        read(tmp_path / "binary")


@pytest.mark.parametrize("cookies", [Cookies(), Cookies(file="a", browser="firefox")])
def test_a_jar_has_one_origin(cookies):
    with pytest.raises(ConfigError, match="a file or a browser, and not both"):
        read_jar(cookies, "youtube", YOUTUBE, NOW)


@pytest.mark.parametrize("hosts", [(), ("*",)])
def test_a_platform_without_hosts_of_its_own_gets_no_cookies(jar_file, hosts):
    with pytest.raises(ConfigError, match="none of 7 cookies"):
        read_jar(Cookies(file=str(jar_file)), "http", hosts, NOW)


def test_a_host_with_scheme_and_port_is_matched_by_its_name(jar_file):
    jar = read_jar(Cookies(file=str(jar_file)), "x", ("https://WWW.youtube.com:8443",), NOW)
    assert [cookie.name for cookie in jar.cookies] == ["PREF"]


def firefox_profile(folder: Path) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "cookies.sqlite")) as database, database:
        database.execute(
            "CREATE TABLE moz_cookies (host TEXT, name TEXT, value TEXT, path TEXT, expiry INTEGER, isSecure INTEGER, "
            "originAttributes TEXT)"
        )
        rows = [(".youtube.com", "SAPISID", CANARY, "/", 1_800_000_000, 1, ""), (".x.org", "A", "b", "/", 0, 0, "")]
        database.executemany("INSERT INTO moz_cookies VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return folder


def test_cookies_are_read_from_a_browsers_profile(tmp_path, capsys):
    pytest.importorskip("yt_dlp")
    profile = firefox_profile(tmp_path / "profile")
    jar = read_jar(Cookies(browser=f"firefox:{profile}"), "youtube", YOUTUBE, NOW)
    assert [(cookie.name, cookie.value) for cookie in jar.cookies] == [("SAPISID", CANARY)]
    assert capsys.readouterr() == ("", "")


def test_a_browser_that_is_unknown_or_not_here_is_refused(tmp_path):
    pytest.importorskip("yt_dlp")
    with pytest.raises(ConfigError, match="'lynx' is not among brave, "):
        read_jar(Cookies(browser="lynx"), "youtube", YOUTUBE, NOW)
    with pytest.raises(ConfigError, match=r"the cookies of firefox can't be read \(FileNotFoundError\)"):
        read_jar(Cookies(browser=f"firefox:{tmp_path}/none"), "youtube", YOUTUBE, NOW)
