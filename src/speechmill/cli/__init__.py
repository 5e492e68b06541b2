# SPDX-License-Identifier: Apache-2.0
"""The command line: verb first, results to stdout, progress to stderr."""
