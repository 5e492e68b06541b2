# SPDX-License-Identifier: Apache-2.0
"""Where tasks run: map(tasks) -> results, unordered, bounded in flight."""
