# SPDX-License-Identifier: Apache-2.0
"""An offline replica of YouTube and of open platforms."""
