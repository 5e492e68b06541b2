# SPDX-License-Identifier: Apache-2.0
"""Exports: the dataset in the formats that people train from, shard by shard, and the whole of it swapped in at once.

limits       how large a shard becomes             membership  which pieces of the dataset each shard holds
shards       writing one shard, in any process     crew        processes that do so side by side
partial      shards of an export under way         marker      what an export says of itself
commit       putting it together, and the swap     upload      sending it to an object store
engine       all of it in order
"""

from __future__ import annotations
