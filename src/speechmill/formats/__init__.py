# SPDX-License-Identifier: Apache-2.0
"""File formats: audio, manifests, TextGrid, CTM, RTTM, captions, lexica."""
