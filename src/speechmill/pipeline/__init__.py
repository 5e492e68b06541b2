# SPDX-License-Identifier: Apache-2.0
"""From a corpus file to a finished dataset: spec, plan, run, filter, report."""
