# SPDX-License-Identifier: Apache-2.0
"""Scripts here are run in an environment of their own; pytest's has no kfp to import them with."""

collect_ignore = ["compiled.py", "run_locally.py", "schemas.py", "stub.py"]
