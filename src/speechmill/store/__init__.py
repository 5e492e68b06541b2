# SPDX-License-Identifier: Apache-2.0
"""What is kept: the ledger of stage results and the dataset made from it."""
