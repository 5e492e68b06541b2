# SPDX-License-Identifier: Apache-2.0
"""People judge a sample of the dataset, and their verdicts say how good the whole is.

`draw` chooses segments, `write_sheet` makes the page that they are judged on, `conclude` turns verdicts into estimates
and edits into corrections. What was drawn is remembered in `samples/<id>.json` of the workspace, without any text.
"""

from speechmill.pipeline.sample.conclusion import Conclusion, conclude
from speechmill.pipeline.sample.drawing import Sample, draw
from speechmill.pipeline.sample.sheet import write_sheet

__all__ = ["Conclusion", "Sample", "conclude", "draw", "write_sheet"]
