# SPDX-License-Identifier: Apache-2.0
"""What a run tells the outside while it works: metrics, structured logs, live views.

All of it is made from the events of a run (`pipeline.events`); nothing here changes a result, and nothing that
listens, or doesn't, can slow a run or end it.
"""
