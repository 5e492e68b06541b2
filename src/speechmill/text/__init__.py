# SPDX-License-Identifier: Apache-2.0
"""Text as characters, as tokens, as it is said and as it is scored: no audio, no models."""
