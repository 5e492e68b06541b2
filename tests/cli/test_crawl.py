# SPDX-License-Identifier: Apache-2.0
"""`speechmill crawl`, as a person types it, against the replica."""

from __future__ import annotations

import json

import pytest
import yaml

from replica.handle import Replica

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def replica():
    with Replica.start(faults={"private": 0.5}) as running:
        yield running


@pytest.fixture(scope="module")
def say(replica, speechmill, tmp_path_factory):
    """Run a command where the replica's certificates are trusted and this user's cache is empty."""
    cache = tmp_path_factory.mktemp("cache")
    environment = {**replica.environment(), "SPEECHMILL_CACHE": str(cache), "XDG_CACHE_HOME": str(cache)}

    def run(*arguments, expect=0):
        return speechmill("crawl", *arguments, expect=expect, env=environment)

    return run


def write_corpus(folder, replica, **fields):
    corpus = {
        "language": "vi",
        "sources": [{"youtube": {"channel": "@channel3", "limit": 3}}],
        "store": "workspace",
        "crawl": {"egress": [{"name": "lab", "proxy": replica.proxy()}], "spacing_s": 0.0, "processes": 1},
        **fields,
    }
    path = folder / "corpus.yaml"
    path.write_text(yaml.safe_dump(corpus))
    return path


@pytest.fixture(scope="module")
def crawled(replica, say, tmp_path_factory):
    """A corpus that was crawled, and what the command said."""
    path = write_corpus(tmp_path_factory.mktemp("corpus"), replica)
    return path, say(path, "--no-wait")


def test_a_corpus_file_is_enough_to_crawl(crawled):
    _path, done = crawled
    assert "3 stored" in done.stdout
    assert "hours by licence" in done.stdout


def test_a_second_crawl_fetches_nothing(crawled, say):
    summary = json.loads(say(crawled[0], "--no-wait", "--json").stdout)
    assert summary["progress"]["stored"] == 0
    assert summary["ending"] == "finished"


def test_status_tells_items_ways_and_budget(crawled, say):
    found = json.loads(say("status", crawled[0], "--json").stdout)
    assert found["counts"]["items"]["stored"] == 3
    assert found["budgets"]["youtube"][1] == 250
    assert found["budgets"]["youtube"][0] >= 3
    shown = say("status", crawled[0]).stdout
    assert "budget of youtube" in shown
    assert "standard" in shown


def test_stats_have_the_kind_of_query_and_the_channel(crawled, say):
    shown = say("stats", crawled[0]).stdout
    assert "by kind of query" in shown
    assert "Channel 3" in shown
    found = json.loads(say("stats", crawled[0], "--json").stdout)
    assert [one["kind"] for one in found["queries"]] == ["channel"]


def test_what_was_private_is_asked_for_again_only_when_told(crawled, say):
    assert say("retry", crawled[0]).stdout.startswith("0 items")
    again = say("retry", crawled[0], "--class", "permanent").stdout
    assert int(again.split()[0]) >= 1
    assert "speechmill crawl" in again


def test_a_way_that_does_not_exist_is_named(crawled, say):
    assert "there are: lab" in say("retry", crawled[0], "--egress", "moon", expect=2).stderr


def test_a_takedown_takes_an_item_that_is_not_known_yet(crawled, say):
    assert "youtube:v0000003999 is taken down" in say("takedown", crawled[0], "youtube:v0000003999").stdout
    assert "PLATFORM:ID" in say("takedown", crawled[0], "nonsense", expect=2).stderr


def test_an_archive_of_yt_dlps_is_not_fetched_again(crawled, say, tmp_path):
    archive = tmp_path / "downloaded.txt"
    archive.write_text("youtube v0000009001\nyoutube v0000009002\n\n")
    assert say("import", crawled[0], archive).stdout.startswith("2 of 2 items are new")
    archive.write_text("one two three\n")
    assert f"{archive}:1" in say("import", crawled[0], archive, expect=2).stderr


def test_a_search_shows_licences_before_anything_is_fetched(say, replica, tmp_path):
    path = write_corpus(tmp_path, replica)
    before = replica.statistics()
    shown = say("search", "vườn", "--limit", "4", "--corpus", path).stdout
    assert "cc-by" in shown
    assert "hours by licence" in shown
    hosts = json.dumps(replica.statistics())
    assert hosts.count("videoplayback") == json.dumps(before).count("videoplayback")
    found = json.loads(say("search", "vườn", "--limit", "2", "--corpus", path, "--json").stdout)
    assert len(found) == 2
    assert (tmp_path / "workspace" / "workspace.json").exists()  # else a crawl would not take the folder
    assert {"id", "title", "rights", "tracks"} <= found[0].keys()


def test_searches_share_the_platforms_budget(say, replica, tmp_path):
    path = write_corpus(tmp_path, replica)
    refused = say("search", "vườn", "--limit", "600", "--corpus", path, expect=2).stderr
    assert "250 items an hour" in refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sources": [{"local": {"path": "."}}]}, "no remote source"),
        ({"sources": [{"youtube": {"search": "x", "channel": "@y"}}]}, "exactly one of"),
        ({"sources": [{"youtube": {"search": "x", "licences": ["mine"]}}]}, "mine"),
        ({"sources": [{"youtube": {"search": "x", "licence": ["cc-by"]}}]}, "did you mean 'licences'?"),
        ({"crawl": {"egress": [{"name": "a", "proxy": "http://me:secret@127.0.0.1:1"}]}}, "no credentials here"),
        ({"catalog": "postgresql+psycopg://me:secret@127.0.0.1/x"}, "PGPASSWORD"),
        ({"catalog": "mysql://x"}, "is sqlite, or postgresql"),
    ],
)
def test_what_is_wrong_with_a_corpus_is_said_and_no_secret(say, replica, tmp_path, fields, said):
    done = say(write_corpus(tmp_path, replica, **fields), expect=2)
    assert said in done.stderr
    assert "me:secret" not in done.stderr
    assert not (tmp_path / "workspace").exists()


def test_originals_go_once_they_are_normalised_and_are_not_fetched_again(replica, say, speechmill, tmp_path):
    path = write_corpus(
        tmp_path,
        replica,
        crawl={"egress": [{"name": "lab", "proxy": replica.proxy()}], "spacing_s": 0.0, "retain": "until-normalised"},
        **{"vad": "energy", "transcript": [{"captions": "manual"}], "diarize": None, "quality": [], "align": None},
        **{"filter": "none", "export": []},
    )
    environment = replica.environment()
    assert "originals deleted" in speechmill("run", path, env=environment).stderr
    assert not list((tmp_path / "workspace" / "crawl" / "store" / "originals").rglob("*.m4a"))
    asked = replica.statistics()["videos"]
    again = json.loads(speechmill("run", path, "--json", env=environment).stdout)
    assert replica.statistics()["videos"] == asked
    assert again["stages"]["normalise"] | {"cached": 3, "processed": 0, "failed": 0} == again["stages"]["normalise"]
    offline = json.loads(speechmill("run", path, "--no-crawl", "--json", env=environment).stdout)
    assert offline["recordings"] == 3


def test_a_sweep_leaves_what_is_known(crawled, say):
    assert say("sweep", crawled[0]).stdout == "0 objects deleted\n"
