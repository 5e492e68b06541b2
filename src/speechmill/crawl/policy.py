# SPDX-License-Identifier: Apache-2.0
"""What may be fetched: filters and licences, decided before a request is spent where a listing says enough.

A filter that is asked for must be shown to hold. What a listing leaves open is worth a visit; what the platform itself
leaves open is skipped ("date-unstated"), with two exceptions. An item that states no language is kept, since most state
none. And the default of `max_duration_s` keeps away streams left running, so that it leaves out only what is stated to
be longer: open platforms often state no duration. Once the audio is here, `measured` decides by its real length.

Licences fail closed: what was not read for certain ("failed") is accepted by nobody's word, and asked again later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.remote import LICENCE_STATES, CaptionTrack, Decision, Description, Ref, Wanted
from speechmill.core.types import Rights
from speechmill.sources._languages import primary

ACCEPTED = Decision("accept")
ASK_AGAIN = "licence-failed"  # the visit counts as a FetchError "incomplete" of this reason; never held, never fetched
_GUARD_S = Wanted().max_duration_s


class _Facts(Struct, frozen=True):
    """What a listing and a description have in common. None: not stated."""

    duration: float | None
    date: date | None
    views: int | None
    language: str | None
    id: str | None
    handle: str | None
    name: str | None
    live: bool | None
    short: bool | None


def listed(wanted: Wanted, ref: Ref) -> Decision:
    """Decide from a listing's hints; "accept" means only that it is worth a visit.

    The corpus's language is not asked here: what a listing calls an item's language is often its page's.
    """
    return next(_refusals(wanted, _of_ref(ref), _codes(wanted.languages)), ACCEPTED)


def decide(wanted: Wanted, description: Description, language: str | None = None) -> Decision:
    """Decide from what the platform says; filters first ("skip"), then the licence ("hold").

    language: of the corpus, where `wanted.languages` names none: an item stated to be in another one is skipped.
    Captions must be in a wanted language, where one is known.
    """
    spoken = _codes(wanted.languages or (language,))
    facts = _of_description(description)
    for refusals in (
        _refusals(wanted, facts, spoken),
        _unstated(wanted, facts),
        _without_captions(wanted, description.tracks, spoken),
    ):
        for refusal in refusals:
            return refusal
    return _licence(wanted, description.rights.state)


def measured(wanted: Wanted, duration: float | None) -> Decision:
    """Decide again once the audio is here. duration: seconds, as its container says; None where that says nothing."""
    return next(_of_duration(wanted, duration), ACCEPTED)


def asks_again(decision: Decision) -> bool:
    """Whether an item must be described again, as one whose answer was incomplete."""
    return decision.reason == ASK_AGAIN


def overridden(wanted: Wanted, rights: Rights) -> Rights:
    """Return the rights that travel with an item: the operator's own basis and evidence where these let it in.

    Licence and state stay as the platform has them, so that nobody takes the operator's word for the author's.
    """
    if wanted.rights is None or rights.state in wanted.licences or not _known(rights.state):
        return rights
    return msgspec.structs.replace(rights, consent=wanted.rights.basis, evidence=wanted.rights.evidence)


def check(wanted: Wanted) -> None:
    """Raise ConfigError where fields of a source can't be what was meant."""
    after, before = _bound("after", wanted.after), _bound("before", wanted.before)
    check_languages("languages", wanted.languages)
    if wanted.limit is not None and wanted.limit < 1:
        raise ConfigError(f"limit: {wanted.limit} is less than 1; leave a source out to get nothing of it")
    unknown = [state for state in wanted.licences if state not in LICENCE_STATES]
    if unknown:
        raise ConfigError(f"licences: {', '.join(unknown)}: not among {', '.join(LICENCE_STATES[:-1])}")
    if "failed" in wanted.licences:
        raise ConfigError("licences: what could not be read is never accepted; leave out 'failed'")
    if wanted.rights and not (wanted.rights.basis.strip() and wanted.rights.evidence.strip()):
        raise ConfigError("rights: an override needs a basis and where its evidence can be looked up")
    _check_order("min_duration_s", wanted.min_duration_s, "max_duration_s", wanted.max_duration_s)
    _check_order("after", after, "before", before)


def check_languages(field: str, languages: Iterable[str]) -> None:
    """Raise ConfigError where one of these can't be any language."""
    for language in languages:
        if primary(language) is None:
            raise ConfigError(f"{field}: {language!r} is no ISO 639 code, such as en or vi")


def _check_order(low_name: str, low: object, high_name: str, high: object) -> None:
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        raise ConfigError(f"{low_name}: {low} is beyond {high_name}: {high}; nothing would be left")


def _of_ref(ref: Ref) -> _Facts:
    return _Facts(
        duration=ref.duration,
        date=_day(ref.date),
        views=ref.views,
        language=primary(ref.language),
        id=ref.channel_id,
        handle=None,
        name=ref.channel,
        live=ref.live,
        short=ref.short,
    )


def _of_description(description: Description) -> _Facts:
    return _Facts(
        duration=description.duration,
        date=_day(description.date),
        views=description.views,
        language=primary(description.language),
        id=description.channel_id,
        handle=description.channel_handle,
        name=description.author,
        live=description.live,
        short=description.short,
    )


def _refusals(wanted: Wanted, facts: _Facts, spoken: frozenset[str]) -> Iterator[Decision]:
    """Yield what is known to speak against an item."""
    if facts.live and not wanted.live:
        yield _skip("live")
    if facts.short and not wanted.shorts:
        yield _skip("short")
    yield from _of_duration(wanted, facts.duration)
    if facts.language and spoken and facts.language not in spoken:
        yield _skip("language", facts.language)
    yield from _of_date(wanted, facts.date)
    if wanted.min_views is not None and facts.views is not None and facts.views < wanted.min_views:
        yield _skip("few-views", str(facts.views))
    if any(_is_channel(entry, facts) for entry in wanted.channels_deny):
        yield _skip("channel-denied", facts.name or facts.id or "")
    if wanted.channels_allow and all(_is_other(entry, facts) for entry in wanted.channels_allow):
        yield _skip("channel-not-allowed", facts.name or facts.id or "")


def _of_duration(wanted: Wanted, duration: float | None) -> Iterator[Decision]:
    if duration is None:
        return
    if wanted.max_duration_s is not None and duration > wanted.max_duration_s:
        yield _skip("too-long", f"{duration:g} s")
    if wanted.min_duration_s is not None and duration < wanted.min_duration_s:
        yield _skip("too-short", f"{duration:g} s")


def _of_date(wanted: Wanted, day: date | None) -> Iterator[Decision]:
    after, before = _bound("after", wanted.after), _bound("before", wanted.before)
    if day and after and day < after:
        yield _skip("too-old", day.isoformat())
    if day and before and day >= before:
        yield _skip("too-new", day.isoformat())


def _unstated(wanted: Wanted, facts: _Facts) -> Iterator[Decision]:
    """Yield what is asked for and not said by the platform itself."""
    timed = wanted.min_duration_s is not None or wanted.max_duration_s not in (None, _GUARD_S)
    if timed and facts.duration is None:
        yield _skip("duration-unstated")
    if (wanted.after or wanted.before) and facts.date is None:
        yield _skip("date-unstated")
    if wanted.min_views is not None and facts.views is None:
        yield _skip("views-unstated")
    nameless = not (facts.id or facts.handle or facts.name)
    if wanted.channels_deny and nameless:
        yield _skip("channel-unstated")
    if wanted.channels_allow and not any(_is_channel(entry, facts) for entry in wanted.channels_allow):
        yield _skip("channel-not-allowed", facts.name or facts.id or "")


def _without_captions(wanted: Wanted, tracks: tuple[CaptionTrack, ...], spoken: frozenset[str]) -> Iterator[Decision]:
    if wanted.captions is None:
        return
    kinds = {track.kind for track in tracks if not spoken or primary(track.language) in spoken}
    if wanted.captions == "any" and not kinds:
        yield _skip("no-captions")
    if wanted.captions != "any" and wanted.captions not in kinds:
        yield _skip(f"no-{wanted.captions}-captions")


def _licence(wanted: Wanted, state: str) -> Decision:
    if not _known(state):
        return Decision("hold", ASK_AGAIN, "" if state == "failed" else f"state {state!r}")
    if state in wanted.licences:
        return ACCEPTED
    if wanted.rights is not None:
        return Decision("accept", "rights-override", wanted.rights.basis)
    return Decision("hold", f"licence-{state}")


def _known(state: str) -> bool:
    return state in LICENCE_STATES and state != "failed"


def _is_channel(entry: str, facts: _Facts) -> bool:
    """Whether an entry of a list is this channel, by what is known of it."""
    name = _folded(entry)
    if name.startswith("@"):
        return facts.handle is not None and _folded(facts.handle).lstrip("@") == name[1:]
    return name in {_folded(one) for one in (facts.id, facts.name) if one}


def _is_other(entry: str, facts: _Facts) -> bool:
    """Whether an entry is known to be another channel: all that it could match is stated, and none does."""
    stated = facts.handle if entry.strip().startswith("@") else facts.id and facts.name
    return bool(stated) and not _is_channel(entry, facts)


def _codes(languages: Iterable[str | None]) -> frozenset[str]:
    return frozenset(code for code in map(primary, languages) if code)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _day(text: str | None) -> date | None:
    """Read the day of an ISO date; None where there is none."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _bound(name: str, text: str | None) -> date | None:
    day = _day(text)
    if text is not None and day is None:
        raise ConfigError(f"{name}: {text!r} is no date; write it as 2025-08-31")
    return day


def _skip(reason: str, detail: str = "") -> Decision:
    return Decision("skip", reason, detail)
