# SPDX-License-Identifier: Apache-2.0
"""Aligning corpora of files: their layouts, what is validated before hours are spent, and what is written."""
