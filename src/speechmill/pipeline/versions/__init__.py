# SPDX-License-Identifier: Apache-2.0
"""Versions of the dataset: what each was made of, so that it can be told apart from another and made again.

    versions/00001-<fingerprint>/manifest.json       what the dataset was made of; see `manifest`
    versions/00001-<fingerprint>/recordings.parquet  which recordings, and what was kept of each

A version is written once and never altered, but for what `purge` takes out of it. Its segments are in the table and
the decisions that it names; `gc` keeps those of the newest versions.
"""

from speechmill.pipeline.versions.manifest import Manifest
from speechmill.pipeline.versions.record import record
from speechmill.pipeline.versions.shelf import Shelf, Version

__all__ = ["Manifest", "Shelf", "Version", "record"]
