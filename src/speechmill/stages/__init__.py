# SPDX-License-Identifier: Apache-2.0
"""Glue: each stage hands items to its family's backend and returns patches."""
