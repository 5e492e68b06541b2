# SPDX-License-Identifier: Apache-2.0
"""The crawler: what platforms have becomes originals in the store, captions and rights, and a batch for the pipeline.

policy       decides from a Ref or a Description: accept, hold or skip; licences fail closed
reactions    what each kind of error does to the item, to the way it went, and to the platform
egress       the ways to the network: which is next, how fast, and which rests
cookies      one jar pinned to one way; a private copy for every worker
redact       keeps secrets out of what is said and stored
workers      processes of threads that hold long-lived remote backends, and outlive each other's death
visit        what a worker does with one item: describe, decide, captions, fetch
plane        the asyncio plane: discovery, budgets, leases, visits, storing
decode       a pool that makes canonical audio beside the fetching
handover     the immutable batch manifest that the pipeline reads
statistics   what was found, by kind of query, category, channel, language, and what it cost
retention    takedowns, and originals that need not be kept
"""
