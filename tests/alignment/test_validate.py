# SPDX-License-Identifier: Apache-2.0
"""What will go wrong is found before anything is aligned."""

import numpy as np
import pytest

from speechmill.alignment.corpus import find
from speechmill.alignment.lexica import Source, prepare
from speechmill.alignment.validate import sound, validate
from speechmill.formats.lexicon import Lexicon, Pronunciation


@pytest.fixture
def planted(letters_language, tmp_path):
    samples, _ = letters_language.said("masa isu")
    texts = {
        "good": "masa isu",
        "cyrillic": "маса",
        "oov": "masa zzz zzz 77 <noise>",
        "long": "osama " * 40,
        "fast": "osama " * 10,
        "silent": "masa",
        "slow": "a",
        "odd": "masa\u0007isu",
    }
    for name, text in texts.items():
        letters_language.write_wav(tmp_path / f"{name}.wav", [samples if name != "silent" else 0 * samples])
        (tmp_path / f"{name}.lab").write_text(text, encoding="utf-8")
    letters_language.write_wav(tmp_path / "narrow.wav", [samples[::2]], 8000)
    (tmp_path / "narrow.lab").write_text("masa isu")
    letters_language.write_wav(tmp_path / "mute.wav", [samples])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "empty.lab").write_text("masa")
    lexicon = Lexicon({**letters_language.LEXICON.entries, "a": (Pronunciation(("a",)),)})
    return find(tmp_path), lexicon


def findings(checked):
    return {one.check: (one.level, one.count, one.examples[0].partition(":")[0]) for one in checked.findings}


def test_everything_that_is_planted_is_found(planted):
    corpus, lexicon = planted
    checked = validate(corpus, prepare(corpus, Source("x", lexicon, None), None), threads=2)
    found = findings(checked)
    assert found.pop("rare-phones")[0] == "warning"
    assert found == {
        "no-text": ("error", 1, "mute.wav"),
        "undecodable-audio": ("error", 1, "empty.wav"),
        "no-pronunciation": ("error", 1, "cyrillic"),
        "oov": ("error", 3, "zzz (2)"),
        "audio-too-short": ("error", 1, "long"),
        "no-speech": ("error", 1, "silent"),
        "fast": ("warning", 1, "fast"),
        "slow": ("warning", 2, "cyrillic"),
        "unknown-letters": ("warning", 6, "z (LATIN, 6)"),
        "control-characters": ("warning", 1, "odd"),
        "little-speech": ("warning", 1, "0.2 minutes"),
        "marks": ("note", 1, "<noise>"),
        "narrow-band": ("note", 1, "narrow"),
    }
    assert checked.wrong
    assert checked.oov == {"zzz": 2, "маса": 1, "77": 1}
    assert checked.sampling_rates_hz == {"8000": 1, "16000": 8}


def test_without_listening_the_audio_is_not_decoded(planted, monkeypatch):
    corpus, lexicon = planted
    monkeypatch.setattr("speechmill.alignment.validate.opened", lambda recording: 1 / 0)
    checked = validate(corpus, prepare(corpus, Source("x", lexicon, None), None), listen=False)
    assert "no-speech" not in findings(checked)
    assert findings(checked)["audio-too-short"] == ("error", 1, "long")


def test_sound_is_measured_frame_by_frame():
    samples = np.zeros(16_000, np.float32)
    samples[4000:8000] = 0.5
    measured = sound(samples)
    assert (measured.seconds, measured.active_s) == (1.0, 0.25)
    assert measured.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert sound(np.zeros(0, np.float32)).seconds == 0.0


def test_quiet_speech_that_is_aligned_is_no_error(letters_language, tmp_path):
    """The aligner refuses what no sample of is louder than -80 dBFS; here the loudest one is at -70."""
    samples = letters_language.said("masa isu")[0]
    letters_language.write_wav(tmp_path / "quiet.wav", [samples * 10 ** (-70 / 20) / abs(samples).max()])
    (tmp_path / "quiet.lab").write_text("masa isu")
    checked = validate(find(tmp_path), prepare(find(tmp_path), Source("x", letters_language.LEXICON, None), None))
    assert "no-speech" not in findings(checked)
