# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a video, told by the first letter of its id. A healthy one starts with "v".

Permanent ones never heal. Transient ones heal after `fault_times` tries. `bot` and `age` are never seen with cookies of
an account, `geo` not from the one country.
"""

from __future__ import annotations

from msgspec import Struct

GEO_COUNTRY = "SG"


class Fault(Struct, frozen=True):
    """One way to fail."""

    name: str
    prefix: str  # of the id
    permanent: bool
    what: str


FAULTS = (
    Fault("private", "p", True, "player: private video"),
    Fault("deleted", "d", True, "player: removed by the uploader"),
    Fault("geo", "g", True, "player: not available in your country"),
    Fault("members", "m", True, "player: members only"),
    Fault("age", "a", True, "player: confirm your age"),
    Fault("drm", "w", True, "player: all formats are protected"),
    Fault("no-formats", "n", True, "player: playable, without a format"),
    Fault("live", "l", True, "runs now"),
    Fault("upcoming", "u", True, "premieres later"),
    Fault("bot", "b", False, "player: confirm you're not a bot"),
    Fault("try-later", "r", False, "player: try again later"),
    Fault("too-many", "q", False, "player: HTTP 429 with Retry-After"),
    Fault("licence-lost", "c", False, "next: HTTP 429, while player works"),
    Fault("server-error", "5", False, "player: HTTP 500"),
    Fault("bad-json", "k", False, "player: JSON that ends early"),
    Fault("dropped", "x", False, "player: connection closed"),
    Fault("media-403", "f", False, "media: HTTP 403"),
    Fault("truncated", "t", False, "media: connection closed half way"),
    Fault("shortened", "h", False, "media: a whole answer, of half the file"),
    Fault("slow", "s", False, "media: a slow body"),
    Fault("captions-429", "j", False, "captions: HTTP 429"),
)
BY_PREFIX = {fault.prefix: fault for fault in FAULTS}
BY_NAME = {fault.name: fault for fault in FAULTS}
HEALTHY = "v"
