# SPDX-License-Identifier: Apache-2.0
"""One file a revision; never edited once it was released. `opening.HEAD` names the newest."""
