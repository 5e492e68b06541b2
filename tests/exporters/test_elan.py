# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pympi
import pytest
from tests.exporters.split_in_two import exported

from speechmill.core.errors import FormatError
from speechmill.core.types import Segment, Word
from speechmill.exporters import elan
from speechmill.exporters.elan import Config, fitted, tiers_of
from speechmill.formats import eaf
from speechmill.formats.eaf_document import Annotation, DocumentTier, Kind, write
from speechmill.store.dataset import Dataset

# "The EAF format, version 3.0": children of ANNOTATION_DOCUMENT in the schema's sequence.
SEQUENCE = (
    *("LICENSE", "HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE", "CONSTRAINT"),
    *("CONTROLLED_VOCABULARY", "LEXICON_REF", "REF_LINK_SET", "EXTERNAL_REF"),
)


def segment(start: float, end: float, *words: Word, phones: tuple[Word, ...] = (), speaker: str = "a") -> Segment:
    return Segment(f"r-{start}", "r", start, end - start, text="said", speaker=speaker, words=words, phones=phones)


def test_pympi_reads_a_tier_for_each_speaker_and_what_depends_on_it(dataset: Dataset, folder: Path) -> None:
    exported(elan, Config(), dataset, folder)
    document = pympi.Elan.Eaf(str(folder / "train" / "talk-1a2b3c.eaf"))
    assert set(document.get_tier_names()) == {
        *("anna", "words@anna", "phones@anna"),
        *("Bảo, the host", "words@Bảo, the host", "phones@Bảo, the host"),
    }
    assert document.get_parameters_for_tier("words@anna")["PARENT_REF"] == "anna"
    assert document.get_parameters_for_tier("phones@anna")["PARENT_REF"] == "words@anna"
    assert document.get_parameters_for_tier("anna")["PARTICIPANT"] == "anna"
    assert document.get_parameters_for_linguistic_type("phone")["CONSTRAINTS"] == "Included_In"
    assert sorted(document.get_annotation_data_for_tier("words@anna")) == [(100, 500, "she"), (600, 1100, '"no"')]
    assert [text for *_times, text in sorted(document.get_annotation_data_for_tier("phones@anna"))] == [
        *("SH", "IY", "N", "OW")
    ]
    ((start, end, text),) = document.get_annotation_data_for_tier("anna")
    assert (start, end) == (100, 1100)
    assert text == 'She said "no"\nand <script>alert(1)</script> | left, \\ done'


def test_our_reader_finds_the_same_tiers_and_the_medium_by_its_name(dataset: Dataset, folder: Path) -> None:
    exported(elan, Config(), dataset, folder, {"tin-tuc-9f8e7d": "dev"})
    found = eaf.read(folder / "dev" / "tin-tuc-9f8e7d.eaf")
    assert found.media == ("./tin%20tuc.wav",)
    assert found.tiers[1] == eaf.Tier(
        "words@anna", (Word("xin", 0.25, 0.25), Word("chào", 0.5, 1.25)), "word", "anna", "anna"
    )
    assert eaf.read(folder / "train" / "talk-1a2b3c.eaf").media == ("./talk.mp3",)


def test_elements_stand_in_the_order_of_the_schema_and_references_are_kept(dataset: Dataset, folder: Path) -> None:
    exported(elan, Config(), dataset, folder)
    root = ET.parse(folder / "train" / "talk-1a2b3c.eaf").getroot()
    places = [SEQUENCE.index(child.tag) for child in root]
    assert places == sorted(places)
    assert {one.tag for one in root} == {"HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"}
    slots = [slot.get("TIME_SLOT_ID") for slot in root.iter("TIME_SLOT")]
    values = [int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")]
    assert values == sorted(values)
    used = [one.get(f"TIME_SLOT_REF{end}") for one in root.iter("ALIGNABLE_ANNOTATION") for end in (1, 2)]
    assert sorted(used, key=str) == sorted(slots, key=str)
    stereotypes = {one.get("STEREOTYPE") for one in root.iter("CONSTRAINT")}
    kinds = {one.get("LINGUISTIC_TYPE_ID"): one.get("CONSTRAINTS") for one in root.iter("LINGUISTIC_TYPE")}
    assert kinds == {"segment": None, "word": "Included_In", "phone": "Included_In"}
    assert stereotypes == {"Time_Subdivision", "Symbolic_Subdivision", "Symbolic_Association", "Included_In"}


def test_segments_of_one_speaker_that_overlap_go_to_a_numbered_tier() -> None:
    tiers = tiers_of([segment(0, 2, Word("a", 0, 2)), segment(1, 3, Word("b", 1, 2))])
    assert [(tier.name, tier.parent) for tier in tiers] == [
        *(("a", ""), ("words@a", "a")),
        *(("a (2)", ""), ("words@a (2)", "a (2)")),
    ]


def test_a_speaker_who_is_called_as_a_tier_is_has_one_nonetheless(tmp_path: Path) -> None:
    tiers = tiers_of([segment(0, 1, Word("a", 0, 1)), segment(1, 2, Word("b", 1, 1), speaker="words@a")])
    assert [tier.name for tier in tiers] == ["a", "words@a", "words@a'", "words@words@a'"]
    write(tmp_path / "x.eaf", tiers)
    assert len(eaf.read(tmp_path / "x.eaf").tiers) == 4


def test_what_is_shorter_than_a_millisecond_shares_the_annotation_before_it() -> None:
    words = [Word("x", 0.9, 0.05), Word("a", 1.0, 0.5), Word("b", 1.4998, 0.0004), Word("c", 1.9, 0.4)]
    assert fitted(words, 1000, 2000) == [Annotation(1000, 1500, "x a b"), Annotation(1900, 2000, "c")]
    assert fitted([Word("x", 0.9, 0.05)], 1000, 2000) == [Annotation(1000, 2000, "x")]


def test_a_label_between_words_has_no_place() -> None:
    tiers = tiers_of([segment(0, 1, Word("a", 0, 0.4), phones=(Word("A", 0, 0.4), Word("sil", 0.4, 0.3)))])
    assert tiers[2].annotations == (Annotation(0, 400, "A"),)


def test_characters_that_xml_has_no_way_to_say_become_blanks(tmp_path: Path) -> None:
    write(tmp_path / "x.eaf", [DocumentTier("a\x00\n<", Kind("k"), (Annotation(0, 1, "b\x0b&\ufffe\U0001f600"),))])
    (tier,) = eaf.read(tmp_path / "x.eaf").tiers
    assert (tier.name, tier.annotations[0].symbol) == ("a \n<", "b & \U0001f600")


@pytest.mark.parametrize(
    "tiers",
    [
        [DocumentTier("a", Kind("k")), DocumentTier("a", Kind("k"))],
        [DocumentTier("w", Kind("k"), parent="a")],
        [DocumentTier("a", Kind("k"), (Annotation(0, 5, ""), Annotation(4, 6, "")))],
        [DocumentTier("a", Kind("k"), (Annotation(5, 5, ""),))],
        [
            DocumentTier("a", Kind("k"), (Annotation(0, 5, ""),)),
            DocumentTier("w", Kind("k"), (Annotation(4, 6, ""),), parent="a"),
        ],
    ],
)
def test_a_document_that_elan_would_refuse_is_not_written(tiers: list[DocumentTier], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"x\.eaf: tier"):
        write(tmp_path / "x.eaf", tiers)
    assert list(tmp_path.iterdir()) == []
