# SPDX-License-Identifier: Apache-2.0
"""A small corpus whose truth is known to the sample, and the scores of a run against it."""
