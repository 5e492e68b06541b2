# SPDX-License-Identifier: Apache-2.0
"""Filter presets: which rules, and why each.

A preset is a starting point. `filter: {preset: tts-strict, without: ["snr_db >= 25"], rules: ["snr_db >= 15"]}`
changes it, and the curves in report.html show what each threshold costs in hours.
"""

from __future__ import annotations

from collections.abc import Mapping

from speechmill.pipeline.expressions import Rule

PRESETS: Mapping[str, tuple[Rule, ...]] = {
    "none": (),
    "asr-broad": (
        Rule("has_text", "a recogniser learns nothing from audio without a transcript"),
        Rule("0.5 <= duration <= 30", "shorter is a click or half a word; longer than 30 s exceeds Whisper's window"),
        Rule("overlap <= 0.2", "with more of a second voice the transcript is no longer what is heard"),
        Rule(
            "2 <= num_chars / duration <= 40",
            "slower means missing text, faster means text that was not said; fast speech has about 25 letters a second",
        ),
    ),
    "tts-strict": (
        Rule("has_text", "a synthesiser is trained on pairs of text and audio"),
        Rule(
            "2 <= duration <= 20",
            "below 2 s there is no prosody to learn; beyond 20 s attention drifts",
        ),
        Rule("overlap == 0", "any second voice becomes part of the learnt voice"),
        Rule("dnsmos_ovrl >= 3.2", "P.835 overall quality; clean read speech lies at 3.2 and above"),
        Rule("snr_db >= 25", "noise below this is audible in synthesised silence"),
        Rule(
            "4 <= num_chars / duration <= 30",
            "outside lie long pauses, drawls and text that doesn't belong to the audio",
        ),
    ),
    "emilia-compatible": (
        Rule("3 <= duration <= 30", "Emilia's segments (He et al., SLT 2024)"),
        Rule("dnsmos_ovrl >= 3.0", "Emilia's threshold on DNSMOS P.835 overall"),
        Rule("num_chars >= 2", "Emilia leaves out text of less than two characters"),
        Rule(
            "not iqr_outlier(seconds_per_char, 1.5)",
            "Emilia leaves out what is 1.5 interquartile ranges off in its recording; it counts phones, we characters",
        ),
    ),
}
