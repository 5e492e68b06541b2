# SPDX-License-Identifier: Apache-2.0
"""Parts of `scripts/platform`. Nothing here needs more than Python's own library."""
