# SPDX-License-Identifier: Apache-2.0
"""Acoustic models of words and phones: trained on any corpus with a lexicon, and used to align its text.

`train` makes a model of examples and a lexicon, `Aligner` times the words and phones of an utterance with it.
Everything here works on 16 kHz samples and on words as a lexicon spells them; corpora, files and the pipeline are
the callers' business.
"""
