# SPDX-License-Identifier: Apache-2.0
"""Scripts here are run in an environment of their own; pytest's has no flytekit to import them with."""

collect_ignore = ["contained.py", "packaged.py", "written.py"]
