# SPDX-License-Identifier: Apache-2.0
"""`speechmill init`."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.core.errors import ConfigError

TEMPLATE = """\
# A corpus file. Every field but `sources` has a default; what stands here are the defaults, or close to them.
name: {name}
language: {language}            # ISO 639 code; recordings.tsv may say otherwise per file

sources:
  - local: {{path: ./audio}}    # ./audio/recordings.tsv, optional: path, language, speaker, num_speakers, licence, ...

channels: mix                   # or `each`: one microphone per speaker
vad: silero                     # with options: {{silero: {{threshold: 0.6}}}}
transcript: {transcript}        # the first that has text for a recording
diarize: {{backend: dvector, when: "num_speakers != 1"}}
quality: [snr, dnsmos]
align: {align}
filter: asr-broad               # or tts-strict, emilia-compatible, or {{preset: asr-broad, rules: ["snr_db >= 10"]}}
deduplicate: {{}}               # recordings that sound alike are one; leave it out to keep them all
splits: {{dev: 0.05, test: 0.05}} # of the hours; no speaker, channel or sound is in two. Without it all is `train`
export: [huggingface, textgrid] # see: speechmill list exporters
store: ./workspace
"""


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=Path("corpus.yaml"))
@click.option("--language", default="en", show_default=True, help="ISO 639 code of the speech.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of corpus files instead.")
def command(path: Path, language: str, schema: bool) -> None:
    """Write a commented corpus file to start from.

    \b
    speechmill init corpus.yaml --language vi
    """
    from speechmill.pipeline import spec

    if schema:
        import json

        click.echo(json.dumps(spec.json_schema(), indent=2))
        return
    if path.exists():
        raise ConfigError(f"{path} exists already; name another file, or move it away")
    transcript = "[" + ", ".join(str(name) for name in spec.default_transcript(language)) + "]"
    align = spec.default_align(language) or "null"
    text = TEMPLATE.format(name=path.stem, language=language, transcript=transcript, align=align)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path}  next: speechmill run {path}")
