# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmill.core.errors import ConfigError
from speechmill.core.remote import LICENCE_STATES, CaptionTrack, Description, Ref, RightsOverride, Wanted
from speechmill.core.types import Rights
from speechmill.crawl.policy import asks_again, check, decide, listed, measured, overridden

CONSENT = RightsOverride(basis="consent", evidence="letters/2026-03.pdf")
STATED = Description(
    platform="youtube",
    id="a",
    url="https://example.org/a",
    title="A talk",
    duration=600.0,
    author="Open Talks",
    channel_id="UC123",
    channel_handle="@OpenTalks",
    date="2025-08-15",
    language="vi",
    views=1000,
    rights=Rights(licence="Creative Commons Attribution", state="cc-by"),
    tracks=(CaptionTrack("vi", "manual"), CaptionTrack("en", "automatic")),
)


def described(**changes: Any) -> Description:
    return msgspec.structs.replace(STATED, **changes)


def verdict(wanted: Wanted, language: str | None = None, **changes: Any) -> str:
    decision = decide(wanted, described(**changes), language)
    return f"{decision.verdict} {decision.reason}".strip()


def seen(wanted: Wanted, **hints: Any) -> str:
    decision = listed(wanted, Ref("youtube", "a", "https://example.org/a", **hints))
    return f"{decision.verdict} {decision.reason}".strip()


def test_what_nothing_speaks_against_is_accepted():
    assert verdict(Wanted()) == "accept"


@pytest.mark.parametrize(
    ("wanted", "changes", "expected"),
    [
        (Wanted(), {"duration": 14_401.0}, "skip too-long"),
        (Wanted(), {"duration": 14_400.0}, "accept"),
        (Wanted(max_duration_s=None), {"duration": 90_000.0}, "accept"),
        (Wanted(min_duration_s=60), {"duration": 59.9}, "skip too-short"),
        (Wanted(min_duration_s=60), {"duration": 60.0}, "accept"),
        (Wanted(languages=("en",)), {}, "skip language"),
        (Wanted(languages=("en", "vi-VN")), {}, "accept"),
        (Wanted(languages=("vi",)), {"language": "vie"}, "accept"),
        (Wanted(after="2025-08-16"), {}, "skip too-old"),
        (Wanted(after="2025-08-15"), {}, "accept"),
        (Wanted(before="2025-08-15"), {}, "skip too-new"),
        (Wanted(before="2025-08-16"), {}, "accept"),
        (Wanted(min_views=1001), {}, "skip few-views"),
        (Wanted(min_views=1000), {}, "accept"),
        (Wanted(), {"live": True}, "skip live"),
        (Wanted(live=True), {"live": True}, "accept"),
        (Wanted(), {"short": True}, "skip short"),
        (Wanted(shorts=True), {"short": True}, "accept"),
    ],
)
def test_each_filter_leaves_out_what_it_names(wanted, changes, expected):
    assert verdict(wanted, **changes) == expected


@pytest.mark.parametrize("entry", ["UC123", "uc123", "@opentalks", "Open Talks", "open  TALKS"])
def test_a_channel_is_known_by_id_handle_or_name_in_any_case(entry):
    assert verdict(Wanted(channels_deny=(entry,))) == "skip channel-denied"
    assert verdict(Wanted(channels_allow=(entry,))) == "accept"


def test_a_channel_that_is_not_listed_is_left_out():
    assert verdict(Wanted(channels_allow=("UC999", "@other"))) == "skip channel-not-allowed"
    assert verdict(Wanted(channels_deny=("UC999", "@other"))) == "accept"


@pytest.mark.parametrize(
    ("captions", "tracks", "expected"),
    [
        ("manual", (("vi", "manual"),), "accept"),
        ("manual", (("vi", "automatic"),), "skip no-manual-captions"),
        ("automatic", (("vi", "manual"),), "skip no-automatic-captions"),
        ("any", (("vi", "automatic"),), "accept"),
        ("any", (), "skip no-captions"),
        ("manual", (("en", "manual"),), "skip no-manual-captions"),
    ],
)
def test_captions_count_in_the_language_that_is_wanted(captions, tracks, expected):
    found = tuple(CaptionTrack(*track) for track in tracks)
    assert verdict(Wanted(captions=captions), language="vi", tracks=found) == expected


def test_captions_in_any_language_count_where_none_is_wanted():
    assert verdict(Wanted(captions="manual"), tracks=(CaptionTrack("en", "manual"),)) == "accept"


def test_the_corpus_language_filters_where_the_source_names_none():
    assert verdict(Wanted(), language="en") == "skip language"
    assert verdict(Wanted(languages=("vi",)), language="en") == "accept"


@pytest.mark.parametrize(
    ("wanted", "changes", "expected"),
    [
        (Wanted(languages=("vi",)), {"language": None}, "accept"),
        (Wanted(languages=("vi",)), {"language": "und"}, "accept"),
        (Wanted(languages=("vi",)), {"language": "Tiếng Việt"}, "accept"),
        (Wanted(), {"duration": None}, "accept"),
        (Wanted(max_duration_s=900), {"duration": None}, "skip duration-unstated"),
        (Wanted(min_duration_s=9), {"duration": None}, "skip duration-unstated"),
        (Wanted(after="2020-01-01"), {"date": None}, "skip date-unstated"),
        (Wanted(before="2030-01-01"), {"date": "last year"}, "skip date-unstated"),
        (Wanted(min_views=1), {"views": None}, "skip views-unstated"),
        (
            Wanted(channels_deny=("x",)),
            {"author": None, "channel_id": None, "channel_handle": None},
            "skip channel-unstated",
        ),
        (
            Wanted(channels_allow=("x",)),
            {"author": None, "channel_id": None, "channel_handle": None},
            "skip channel-not-allowed",
        ),
    ],
)
def test_what_the_platform_leaves_open_fails_a_filter_unless_it_is_the_language(wanted, changes, expected):
    assert verdict(wanted, **changes) == expected


def test_a_listing_that_leaves_it_open_is_worth_a_visit():
    wanted = Wanted(
        min_duration_s=60,
        languages=("vi",),
        after="2020-01-01",
        min_views=5,
        channels_allow=("@a", "b"),
        captions="any",
    )
    assert seen(wanted) == "accept"


def test_a_listing_spares_the_visit_where_it_says_enough():
    assert seen(Wanted(), duration=20_000) == "skip too-long"
    assert seen(Wanted(languages=("vi",)), language="en") == "skip language"
    assert seen(Wanted(channels_deny=("uc1",)), channel_id="UC1") == "skip channel-denied"
    assert seen(Wanted(channels_allow=("UC2",)), channel_id="UC1", channel="One") == "skip channel-not-allowed"


def test_a_listing_without_handles_leaves_out_no_channel_that_is_allowed_by_its_handle():
    assert seen(Wanted(channels_allow=("@one",)), channel_id="UC1", channel="One") == "accept"
    assert seen(Wanted(channels_allow=("One",)), channel_id="UC1") == "accept"


def test_real_length_decides_where_none_was_stated():
    assert measured(Wanted(), 15_000.0).reason == "too-long"
    assert measured(Wanted(min_duration_s=60), 30.0).reason == "too-short"
    assert measured(Wanted(min_duration_s=60), 60.0).verdict == "accept"
    assert measured(Wanted(min_duration_s=60), None).verdict == "accept"


@pytest.mark.parametrize("state", ["standard", "unstated"])
def test_a_licence_that_does_not_allow_it_holds_the_item_and_names_its_state(state):
    assert verdict(Wanted(), rights=Rights(state=state)) == f"hold licence-{state}"


@pytest.mark.parametrize("state", ["failed", "cc-by-nd", ""])
def test_a_licence_that_was_not_read_for_certain_is_asked_again_whatever_the_operator_says(state):
    decision = decide(Wanted(licences=LICENCE_STATES, rights=CONSENT), described(rights=Rights(state=state)))
    assert (decision.verdict, decision.reason) == ("hold", "licence-failed")
    assert asks_again(decision)


def test_a_held_licence_is_not_asked_again():
    assert not asks_again(decide(Wanted(), described(rights=Rights(state="standard"))))


def test_filters_come_before_the_licence():
    assert verdict(Wanted(), duration=20_000.0, rights=Rights(state="standard")) == "skip too-long"


def test_an_override_lets_other_licences_in_and_says_on_whose_word():
    wanted = Wanted(rights=CONSENT)
    rights = Rights(licence="Standard YouTube License", state="standard", evidence="player")
    decision = decide(wanted, described(rights=rights))
    assert (decision.verdict, decision.reason, decision.detail) == ("accept", "rights-override", "consent")
    assert overridden(wanted, rights) == Rights(
        licence="Standard YouTube License", state="standard", evidence="letters/2026-03.pdf", consent="consent"
    )


@pytest.mark.parametrize("state", ["cc-by", "failed"])
def test_an_override_says_nothing_where_it_let_nothing_in(state):
    rights = Rights(state=state, evidence="player")
    assert overridden(Wanted(rights=CONSENT), rights) is rights
    assert overridden(Wanted(), rights) is rights


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(after="31.08.2025"), "after: '31.08.2025' is no date"),
        (Wanted(before="soon"), "before: 'soon' is no date"),
        (Wanted(licences=("cc-by-4.0",)), "licences: cc-by-4.0"),
        (Wanted(licences=("cc-by", "failed")), "never accepted"),
        (Wanted(languages=("klingonish",)), "'klingonish' is no ISO 639 code"),
        (Wanted(rights=RightsOverride(" ", "x")), "rights: an override needs a basis"),
        (Wanted(min_duration_s=9, max_duration_s=8), "min_duration_s: 9 is beyond max_duration_s: 8"),
        (Wanted(after="2025-02-01", before="2025-01-01"), "after: 2025-02-01 is beyond before: 2025-01-01"),
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused(wanted, said):
    with pytest.raises(ConfigError, match=said):
        check(wanted)


def test_a_policy_that_can_be_meant_passes():
    check(Wanted(after="2025-01-01", before="2025-02-01", min_duration_s=1, rights=CONSENT, languages=("vi", "eng")))


def test_a_date_that_is_none_never_switches_its_filter_off():
    with pytest.raises(ConfigError, match="is no date"):
        decide(Wanted(after="31.08.2025"), STATED)


names = st.sampled_from(["One", "@one", "two"])
durations = st.sampled_from([0.0, 5.0, 59.0, 60.0, 600.0, 20_000.0])
days = st.sampled_from(["2024-12-31", "2025-01-01", "2025-06-30"])
languages = st.sampled_from(["en", "eng", "vi-VN", "vie", "und", "Klingonish", "iw", "heb"])
channels = st.lists(names, min_size=1, max_size=2).map(tuple)
WISHES: dict[str, st.SearchStrategy[Any]] = {
    "licences": st.lists(st.sampled_from(LICENCE_STATES), unique=True).map(tuple),
    "rights": st.just(CONSENT),
    "min_duration_s": durations,
    "max_duration_s": durations,
    "languages": st.tuples(languages),
    "after": days,
    "before": days,
    "min_views": st.integers(0, 9),
    "captions": st.sampled_from(["manual", "automatic", "any"]),
    "channels_allow": channels,
    "channels_deny": channels,
    "live": st.just(True),
    "shorts": st.just(True),
}
FACTS: dict[str, st.SearchStrategy[Any]] = {
    "duration": st.none() | durations,
    "author": st.none() | names,
    "channel_id": st.none() | names,
    "channel_handle": st.none() | names,
    "date": st.none() | days,
    "language": st.none() | languages,
    "views": st.none() | st.integers(0, 9),
    "rights": st.builds(Rights, state=st.sampled_from([*LICENCE_STATES, "cc-by-nc", ""])),
    "tracks": st.just(()),
    "live": st.just(True),
    "short": st.just(True),
}


@st.composite
def some(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
    """Draw a few fields, so that it is one filter and one fact that decide."""
    chosen = draw(st.sets(st.sampled_from(sorted(fields)), max_size=most))
    return {name: draw(fields[name]) for name in sorted(chosen)}


@settings(max_examples=250, deadline=None)
@given(st.data(), WISHES["licences"], st.booleans(), FACTS["rights"])
def test_nothing_is_ever_accepted_without_a_licence_that_is_wanted_or_an_override(data, licences, overrides, rights):
    wishes = {name: value for name, value in data.draw(some(WISHES, 1)).items() if name not in ("licences", "rights")}
    wanted = Wanted(**{**wishes, "licences": licences, "rights": CONSENT if overrides else None})
    item = described(**{**data.draw(some(FACTS, 2)), "rights": rights})
    decision = decide(wanted, item, data.draw(st.none() | languages))
    legible = rights.state in ("cc-by", "public-domain", "standard", "unstated")
    assert decision.verdict != "accept" or (legible and (rights.state in licences or overrides))
    assert decision.verdict == "accept" or decision.reason


HINTS = {"duration": "duration", "channel": "author", "channel_id": "channel_id", "views": "views", "date": "date"}
HINTS |= {"language": "language", "live": "live", "short": "short"}
CHANNELS = ("author", "channel_id", "channel_handle")
BY_LISTING = {
    "min_duration_s": ("duration",),
    "max_duration_s": ("duration",),
    "languages": ("language",),
    "after": ("date",),
    "before": ("date",),
    "min_views": ("views",),
    "channels_allow": CHANNELS,
    "channels_deny": CHANNELS,
    "live": ("live",),
    "shorts": ("short",),
}


@pytest.mark.parametrize("wish", sorted(BY_LISTING))
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_listing_never_skips_what_its_description_would_let_in(wish, data):
    wanted = Wanted(**{wish: data.draw(WISHES[wish])})
    item = described(**{fact: data.draw(FACTS[fact]) for fact in BY_LISTING[wish]})
    shown = data.draw(st.sets(st.sampled_from(sorted(HINTS))))
    ref = Ref("youtube", "a", item.url, **{hint: getattr(item, HINTS[hint]) for hint in sorted(shown)})
    assert listed(wanted, ref).verdict == "accept" or decide(wanted, item).verdict != "accept"
