# SPDX-License-Identifier: Apache-2.0
"""Weights as pinned artefacts: cards, cache, pulling from wheels, hubs or local folders."""
