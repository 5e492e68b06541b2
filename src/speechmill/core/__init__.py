# SPDX-License-Identifier: Apache-2.0
"""Contracts: types, errors, time, registry, stage. Imports nothing else of the package."""
