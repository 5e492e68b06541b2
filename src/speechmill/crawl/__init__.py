# SPDX-License-Identifier: Apache-2.0
"""The crawler: what platforms have becomes originals in the store, captions and rights, and a batch for the pipeline.

corpus       a corpus file's remote sources as one crawl, and what may be asked of it: status, retry, takedown, sweep
plane        the asyncio plane: one crawl, from its start to its end
_platform    one platform's part of it: what is asked next, by which way. Beside it: _connections, what a call says;
             _outcomes, what is done with its answer; _budget; _bell
discovery    how far each listing is followed
policy       decides from a Ref or a Description: accept, hold or skip; licences fail closed
reactions    what each kind of error does to the item, to the way it went, and to the platform
egress       the ways to the network: which is next, how fast, and which rests
cookies      one jar pinned to one way; a private copy for every worker
redact       keeps secrets out of what is said and stored
workers      processes of threads that hold long-lived remote backends, and outlive each other's death
visit        what a worker does with one item: describe, decide, captions, fetch
storing      objects and rows, in an order that a crash leaves mendable
decode       processes that make canonical audio beside the fetching
handover     the immutable batch manifest that the pipeline reads
retention    takedowns, originals that need not be kept, and what nobody knows
preview      a look at what a platform has, before anything is fetched; search: its rows
statistics   what was found, by kind of query, category, channel, language, and what it cost
"""
