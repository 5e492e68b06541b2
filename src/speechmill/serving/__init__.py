# SPDX-License-Identifier: Apache-2.0
"""Networks served to many workers by an NVIDIA Triton server: the repository it loads, and its start.

The client is `models.triton`; a backend needs no line for it beyond the name by which it opens its network.
"""
