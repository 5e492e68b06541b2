# SPDX-License-Identifier: Apache-2.0
"""Measures against a reference or on a signal: pure numpy, each sourced to its paper."""
