# SPDX-License-Identifier: Apache-2.0
"""What stands in README.md is true, and harmless whatever strangers wrote."""

import hashlib

import pytest
import yaml
from msgspec import structs

from speechmill import api
from speechmill.pipeline.card.facts import Credit, Licence
from speechmill.pipeline.card.front import front_matter, hub_licence
from speechmill.pipeline.card.readme import readme

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def card(out):
    return (out / "dataset" / "README.md").read_text(encoding="utf-8")


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_hub_learns_languages_licences_and_size(card):
    found = front(card)
    assert found["language"] == ["en", "vi"]
    assert found["license"] == ["cc-by-4.0", "other", "unknown"]
    assert found["task_categories"] == ["automatic-speech-recognition", "text-to-speech"]
    assert found["size_categories"] == ["n<1K"]
    assert "configs" not in found


def test_people_learn_how_much_of_whom(card):
    assert "7.5 seconds of speech: 3 segments of 3 recordings, 1 speaker, en, vi-vn." in card
    assert "| train | 3 | 7.5 seconds | 1 |" in card
    assert "| num_chars &gt;= 3 | 0 | 0.0 seconds | 0 |" in card


def test_a_strangers_attribution_is_harmless(card):
    assert "| 2.2 seconds | CC BY 4.0 | Ánh &amp; Co. &lt;b&gt;\\| CC&lt;/b&gt; \\`\\`\\` | a.wav |" in card


def test_no_text_of_the_dataset_and_no_place_on_this_machine_is_in_it(card, out):
    assert "secret" not in card
    assert str(out.parent) not in card
    assert "path: ./audio" in card


def test_the_config_in_it_makes_the_same_dataset(card, out, tmp_path):
    (tmp_path / "corpus.yaml").write_text(card.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    (tmp_path / "audio").symlink_to(out.parent / "audio")
    api.run(tmp_path / "corpus.yaml", settings={"export": []}, workers=1)
    again = tmp_path / "workspace" / "dataset" / "segments.parquet"
    assert hashlib.sha256(again.read_bytes()).hexdigest() in card


def test_filtering_again_shows_in_it(out, tmp_path):
    import shutil

    shutil.copytree(out, tmp_path / "out")
    api.filter(tmp_path / "out", ["num_chars >= 4"])
    card = (tmp_path / "out" / "dataset" / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])["filter"] == ["num_chars >= 4"]
    assert "2 segments of 2 recordings" in card
    assert "Version 2" in card


def test_a_card_that_was_cut_off_is_written_by_the_next_command(out, tmp_path, card):
    import shutil

    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "dataset" / "README.md").unlink()
    api.filter(tmp_path / "out", ["num_chars >= 3", "duration >= 2.2"])
    assert (tmp_path / "out" / "dataset" / "README.md").read_text(encoding="utf-8") == card


def test_every_export_has_the_card_and_how_it_is_opened(out):
    huggingface = (out / "exports" / "huggingface" / "README.md").read_text(encoding="utf-8")
    assert front(huggingface)["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}
    ]
    assert "load_dataset" in huggingface
    assert "sha256sum -c CHECKSUMS.sha256" in huggingface
    rttm = (out / "exports" / "rttm" / "README.md").read_text(encoding="utf-8")
    assert "3 segments of 3 recordings" in rttm
    assert "configs" not in front(rttm)


def test_one_licence_foreign_to_the_hub_is_named(facts):
    alone = structs.replace(facts, licences=(Licence("House rules (2.0)", "unstated", 1, 1.0),))
    found = front(front_matter(alone))
    assert (found["license"], found["license_name"]) == ("other", "house-rules-2.0")


def test_nothing_known_is_claimed(facts):
    counts = structs.replace(facts.manifest.counts, languages={"": facts.manifest.counts.languages["en"]})
    nobody = structs.replace(facts, licences=(), manifest=structs.replace(facts.manifest, counts=counts))
    assert not {"license", "language"} & set(front(front_matter(nobody)))
    unstated = structs.replace(facts, licences=(Licence(None, "unstated", 1, 1.0),))
    assert front(front_matter(unstated))["license"] == "unknown"


@pytest.mark.parametrize(
    ("licence", "identifier"),
    [
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("cc0-1.0", "cc0-1.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/deed.vi", "cc-by-nc-4.0"),
        ("https://creativecommons.org/licenses/by-xx/4.0/", "other"),
        ("all rights reserved", "other"),
    ],
)
def test_licences_are_named_as_the_hub_names_them(licence, identifier):
    assert hub_licence(licence) == identifier


def test_a_long_attribution_ends_with_where_the_rest_is(facts):
    many = tuple(Credit(f"r{i}", 1.0, "CC0 1.0", "x", "x.wav") for i in range(200))
    text = readme(structs.replace(facts, credits=many, credited=205))
    assert "\nAnd 5 more in ATTRIBUTION.tsv.\n" in text


def test_the_same_facts_make_the_same_card(facts):
    assert readme(facts) == readme(facts)
    assert facts.manifest.created[:10] not in readme(facts)
