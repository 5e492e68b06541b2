# SPDX-License-Identifier: Apache-2.0
"""Takes a recording, a speaker or an address out of a workspace, and proves that nothing of it is left.

target       which recordings are meant, by every name that they have or had here
marks        what they can be known by: names, hashes, texts, samples
needles      looks for many byte strings at once
leaves       the same in Arrow columns
scan         the same in every file, packed ones too
scrub        takes it out of one file
crawled      takes it out of the catalog and the store of originals
exports      shards without it stay, the rest is written anew
pages        report and card anew
plan         what will be touched: versions, models
certificate  what is left to show; and the journal of a purge under way
run          all of it, in an order that a crash doesn't harm
"""

from speechmill.pipeline.purge.certificate import Asked
from speechmill.pipeline.purge.run import Purged, TracesLeft, finish, plan, purge

__all__ = ["Asked", "Purged", "TracesLeft", "finish", "plan", "purge"]
