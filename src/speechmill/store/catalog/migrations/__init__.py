# SPDX-License-Identifier: Apache-2.0
"""How the catalog's tables came to be, step by step, for Alembic."""
