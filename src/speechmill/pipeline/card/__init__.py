# SPDX-License-Identifier: Apache-2.0
"""The card: what a dataset is, whose speech it holds, how it was made and what to beware of.

facts      what there is to say, added up from the dataset's columns and its version's manifest
limits     what a user should know before they trust it, from the facts
readme     README.md: front matter for the Hub, then what people read
croissant  croissant.json: the same for programs (mlcommons.org/croissant)
write      both of them, for the dataset and for an export

No text of the dataset stands in a card; what strangers wrote into an attribution is escaped.
"""

from speechmill.pipeline.card.facts import Facts, facts_of
from speechmill.pipeline.card.write import is_written, write_dataset_card, write_export_card

__all__ = ["Facts", "facts_of", "is_written", "write_dataset_card", "write_export_card"]
