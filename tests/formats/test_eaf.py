# SPDX-License-Identifier: Apache-2.0
"""ELAN documents: read as pympi reads them, written so that pympi finds what was put in and what was there."""

import pympi
import pytest

from speechmill.core.errors import FormatError
from speechmill.core.types import Word
from speechmill.formats.eaf import Tier, read, write

INTERVIEW = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2020-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
  <!-- a comment -->
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///talk.wav" MIME_TYPE="audio/x-wav"/>
    <PROPERTY NAME="lastUsedAnnotationId">6</PROPERTY>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500"/>
    <TIME_SLOT TIME_SLOT_ID="ts2"/>
    <TIME_SLOT TIME_SLOT_ID="ts3"/>
    <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="2000"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="utterance" PARTICIPANT="Ama" TIER_ID="ref@A">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>one &amp; two</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>three</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="gloss" PARENT_REF="ref@A" TIER_ID="gloss@A">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>1</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a5" ANNOTATION_REF="a1" PREVIOUS_ANNOTATION="a4">
      <ANNOTATION_VALUE>2</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="utterance" TIER_ID="empty"/>
  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="utterance" TIME_ALIGNABLE="true"/>
  <LINGUISTIC_TYPE CONSTRAINTS="Symbolic_Subdivision" LINGUISTIC_TYPE_ID="gloss" TIME_ALIGNABLE="false"/>
  <CONTROLLED_VOCABULARY CV_ID="kept"/>
</ANNOTATION_DOCUMENT>
"""
WORDS = Tier("words", (Word("one", 0.5, 0.3), Word("two", 0.8, 0.1996)))


@pytest.fixture
def interview(tmp_path):
    path = tmp_path / "talk.eaf"
    path.write_text(INTERVIEW, encoding="utf-8")
    return path


def test_times_without_a_value_lie_evenly_between_those_around_them(interview):
    ref, _gloss, _empty = read(interview).tiers
    assert (ref.name, ref.type, ref.participant) == ("ref@A", "utterance", "Ama")
    assert ref.annotations == (Word("one & two", 0.5, 0.5), Word("three", 1.0, 0.5), Word("", 1.5, 0.5))


def test_annotations_that_refer_to_one_share_its_time(interview):
    gloss = read(interview).tiers[1]
    assert (gloss.parent, gloss.annotations) == ("ref@A", (Word("1", 0.5, 0.25), Word("2", 0.75, 0.25)))


def test_media_and_empty_tiers_are_read(interview):
    document = read(interview)
    assert (document.media, document.tiers[2]) == (("file:///talk.wav",), Tier("empty", (), "utterance"))


def test_a_tier_is_added_and_everything_else_stays(interview, tmp_path):
    before = read(interview)
    write(tmp_path / "out.eaf", [WORDS], interview)
    after = read(tmp_path / "out.eaf")
    assert after.tiers[:3] == before.tiers
    assert after.tiers[3] == Tier("words", (Word("one", 0.5, 0.3), Word("two", 0.8, 0.2)))
    text = (tmp_path / "out.eaf").read_text(encoding="utf-8")
    assert '<CONTROLLED_VOCABULARY CV_ID="kept"' in text
    assert "<!-- a comment -->" in text
    assert '<PROPERTY NAME="lastUsedAnnotationId">7</PROPERTY>' in text


def test_a_tier_of_the_same_name_is_replaced_where_it_is(interview, tmp_path):
    write(tmp_path / "once.eaf", [WORDS, Tier("phones", (Word("w", 0.5, 0.1),))], interview)
    write(tmp_path / "twice.eaf", [Tier("words", (Word("uno", 0.6, 0.3),))], tmp_path / "once.eaf")
    tiers = read(tmp_path / "twice.eaf").tiers
    assert [tier.name for tier in tiers] == ["ref@A", "gloss@A", "empty", "words", "phones"]
    assert tiers[3].annotations == (Word("uno", 0.6, 0.3),)
    assert 'TIME_VALUE="800"' not in (tmp_path / "twice.eaf").read_text(encoding="utf-8")


def test_a_tier_that_others_depend_on_is_not_replaced(interview, tmp_path):
    write(tmp_path / "out.eaf", [Tier("ref@A", (Word("one", 0.5, 0.3),))], interview)
    assert [tier.name for tier in read(tmp_path / "out.eaf").tiers][-1] == "ref@A (aligned)"


def test_pympi_reads_what_was_put_into_a_document_of_its_own(tmp_path):
    made = pympi.Eaf(author="tester")
    made.add_tier("Ama")
    made.add_annotation("Ama", 100, 1900, "one two")
    made.to_file(str(tmp_path / "made.eaf"))
    assert [word for tier in read(tmp_path / "made.eaf").tiers for word in tier.annotations] == [
        Word("one two", 0.1, 1.8)
    ]
    write(tmp_path / "out.eaf", [WORDS], tmp_path / "made.eaf")
    found = pympi.Eaf(str(tmp_path / "out.eaf"))
    assert sorted(found.get_annotation_data_for_tier("words")) == [(500, 800, "one"), (800, 1000, "two")]
    assert found.get_annotation_data_for_tier("Ama") == [(100, 1900, "one two")]


def test_pympi_reads_a_document_that_was_made_here(tmp_path):
    write(tmp_path / "new.eaf", [WORDS])
    found = pympi.Eaf(str(tmp_path / "new.eaf"))
    assert sorted(found.get_annotation_data_for_tier("words")) == [(500, 800, "one"), (800, 1000, "two")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a", "not XML"),
        ("<a/>", "holds a a, not an ANNOTATION_DOCUMENT"),
        ("<!DOCTYPE a><a/>", "entities are not expanded"),
        (INTERVIEW.replace("milliseconds", "PAL-frames"), "times in PAL-frames"),
        (INTERVIEW.replace('TIME_VALUE="2000"', 'TIME_VALUE="2s"'), "has the value '2s'"),
        (INTERVIEW.replace('TIME_SLOT_ID="ts4"', 'TIME_SLOT_ID="ts9"'), "no time slot 'ts4'"),
        (INTERVIEW.replace('TIME_SLOT_ID="ts4"', 'TIME_SLOT_ID="ts3"'), "a time slot is there twice"),
        (INTERVIEW.replace(' TIME_VALUE="2000"', ""), "first or last time has no value"),
        (INTERVIEW.replace('ANNOTATION_REF="a1"', 'ANNOTATION_REF="a8"'), "refers to one that isn't there"),
    ],
)
def test_what_is_no_document_is_an_error_with_its_path(tmp_path, text, message):
    (tmp_path / "bad.eaf").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path / "bad.eaf")
    assert str(caught.value).startswith(f"{tmp_path / 'bad.eaf'}:")


def test_annotations_that_overlap_are_not_written(tmp_path):
    with pytest.raises(FormatError, match="overlaps"):
        write(tmp_path / "out.eaf", [Tier("words", (Word("one", 0.5, 0.3), Word("two", 0.7, 0.3)))])


def test_what_is_no_slot_in_the_time_order_stays_where_it_is(interview, tmp_path):
    odd = INTERVIEW.replace("</TIME_ORDER>", '<ODD TIME_VALUE="m1"/></TIME_ORDER>')
    interview.write_text(odd, encoding="utf-8")
    write(tmp_path / "out.eaf", [WORDS], interview)
    assert read(tmp_path / "out.eaf").tiers[:3] == read(interview).tiers
    assert '<ODD TIME_VALUE="m1"' in (tmp_path / "out.eaf").read_text(encoding="utf-8")


def test_tiers_that_depend_on_each_other_over_many_levels_are_refused(tmp_path):
    tiers = "".join(
        f'<TIER TIER_ID="t{i}"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a{i}" ANNOTATION_REF="a{i + 1}"/>'
        "</ANNOTATION></TIER>"
        for i in range(200)
    )
    own = '<ALIGNABLE_ANNOTATION ANNOTATION_ID="a200" TIME_SLOT_REF1="x" TIME_SLOT_REF2="y"/>'
    slots = '<TIME_SLOT TIME_SLOT_ID="x" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="y" TIME_VALUE="9"/>'
    path = tmp_path / "deep.eaf"
    path.write_text(
        f"<ANNOTATION_DOCUMENT><TIME_ORDER>{slots}</TIME_ORDER>{tiers}"
        f'<TIER TIER_ID="t"><ANNOTATION>{own}</ANNOTATION></TIER></ANNOTATION_DOCUMENT>'
    )
    with pytest.raises(FormatError, match="over more than 64 levels"):
        read(path)
