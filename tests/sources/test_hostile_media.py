# SPDX-License-Identifier: Apache-2.0
"""Playlists that call themselves audio, and containers that point elsewhere: no other file is read, nobody asked.

The canary is a good recording: a demuxer that follows a reference to it would succeed. Its folder is watched by
inotify, and the port that references name by a socket that waits for callers.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from speechmill.core.errors import AudioError
from speechmill.formats.audio import make_canonical, probe

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"

# {file}: the canary's path; {name}: its name, beside the playlist; {http}: the address that waits for callers
PLAYLISTS = {
    "hls, by path": _HLS + "#EXTINF:1.0,\n{file}\n#EXT-X-ENDLIST\n",
    "hls, by name": _HLS + "#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n",
    "hls, by file:": _HLS + "#EXTINF:1.0,\nfile://{file}\n#EXT-X-ENDLIST\n",
    "hls, by http": _HLS + "#EXTINF:1.0,\n{http}/a.wav\n#EXT-X-ENDLIST\n",
    "hls, concat:": _HLS + "#EXTINF:1.0,\nconcat:{file}|{http}/a\n#EXT-X-ENDLIST\n",
    "hls, subfile": _HLS + "#EXTINF:1.0,\nsubfile,,start,0,end,9999,,:{file}\n#EXT-X-ENDLIST\n",
    "hls, crypto": _HLS + '#EXT-X-KEY:METHOD=AES-128,URI="{file}"\n#EXTINF:1.0,\ncrypto+file:{file}\n#EXT-X-ENDLIST\n',
    "hls, key by http": _HLS + '#EXT-X-KEY:METHOD=AES-128,URI="{http}/k"\n#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n',
    "hls, map": _HLS + '#EXT-X-MAP:URI="{file}"\n#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n',
    "hls, byte range": _HLS + "#EXTINF:1.0,\n#EXT-X-BYTERANGE:100@0\n{name}\n#EXT-X-ENDLIST\n",
    "hls, master": '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\n{http}/b.m3u8\n',
    "hls, rendition": '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{name}"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{name}\n',
    "hls, bom": "\ufeff" + _HLS + "#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:1,a\n{name}\n",
    "ffconcat": "ffconcat version 1.0\nfile {name}\nduration 1\n",
    "ffconcat, by path": "ffconcat version 1.0\nfile '{file}'\n",
    "ffconcat, by http": "ffconcat version 1.0\nfile '{http}/a.wav'\n",
    "ffconcat, option": "ffconcat version 1.0\nfile {name}\noption safe 0\noption protocol_whitelist file,http,tcp\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="0" bandwidth="1">'
    "<BaseURL>{file}</BaseURL><SegmentList><SegmentURL media='{file}'/></SegmentList>"
    "</Representation></AdaptationSet></Period></MPD>",
    "dash, by http": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" '
    'minBufferTime="PT1S"><Location>{http}/l</Location><BaseURL>{http}/</BaseURL><Period><AdaptationSet>'
    '<SegmentTemplate initialization="{http}/i" media="{http}/$Number$" duration="1"/>'
    '<Representation id="0" bandwidth="1"/></AdaptationSet></Period></MPD>',
    "smooth streaming": '<SmoothStreamingMedia MajorVersion="2" Duration="10000000"><StreamIndex Type="audio" '
    'Url="{http}/{{bitrate}}"><QualityLevel Bitrate="1"/><c d="1"/></StreamIndex></SmoothStreamingMedia>',
    "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:0</Id><SegmentList/></CompositionPlaylist>",
    "sdp": "v=0\no=- 0 0 IN IP4 {address}\ns=x\nc=IN IP4 {address}\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "rtsp redirect": "RTSPtextRTSP://{address}:{port}/a",
    "asx": '<asx version="3.0"><entry><ref href="{http}/a"/></entry></asx>',
    "asf reference": "[Reference]\r\nRef1={http}/a?MSWMExt=.asf\r\n",
    "pls": "[playlist]\nFile1={file}\nNumberOfEntries=1\n",
    "xspf": '<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><location>{http}/a</location>'
    "</track></trackList></playlist>",
    "ram": "{http}/a.rm\nfile://{file}\n",
    "smil": '<smil><body><audio src="{file}"/></body></smil>',
    "cue": 'FILE "{name}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "avisynth": 'WavSource("{file}")\n',
    "vapoursynth": "import vapoursynth\nopen('{file}').read()\n",
    "ffmetadata": ";FFMETADATA1\ntitle=x\n[CHAPTER]\nSTART=0\nEND=1\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{file}"/></svg>',
    "id3 before hls": "ID3\x03\x00\x00\x00\x00\x00\x0a" + "\x00" * 10 + _HLS + "#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n",
    "id3 before ffconcat": "ID3\x03\x00\x00\x00\x00\x00\x0a" + "\x00" * 10 + "ffconcat version 1.0\nfile {name}\n",
}
NAMES = (
    "frame%03d.wav",
    "frame%d.mp3",
    "concat:canary.wav|canary.wav.mp3",
    "http:127.0.0.1.m4a",
    "subfile,,start,0,end,9,,:canary.wav",
    "file:canary.wav",
    "async:canary.wav",
    "pipe:0",
    "-",
    "fd:",
)


class Watched:
    """What the files under test must leave alone."""

    def __init__(self, canary: Path, events: int, port: socket.socket) -> None:
        self.canary = canary
        self._events = events
        self._port = port
        self.address, self.port = port.getsockname()

    def fill(self, text: str) -> bytes:
        http = f"http://{self.address}:{self.port}"
        given = {"file": self.canary, "name": self.canary.name, "http": http, "address": self.address}
        return text.format(**given, port=self.port).encode()

    def was_opened(self) -> bool:
        return bool(select.select([self._events], [], [], 0)[0])

    def was_called(self) -> bool:
        return bool(select.select([self._port], [], [], 0)[0])


@pytest.fixture
def watched(tmp_path: Path, make_tone) -> Iterator[Watched]:
    canary = tmp_path / "canary.wav"
    make_tone(canary, 1.0)
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(events, os.fsencode(canary), _IN_OPEN | _IN_ACCESS) >= 0
    with socket.create_server(("127.0.0.1", 0)) as port:
        yield Watched(canary, events, port)
    os.close(events)


def _refused(path: Path, watched: Watched) -> None:
    before = set(path.parent.iterdir())
    for read in (probe, lambda file: make_canonical(file, path.parent, "made", "mix")):
        with pytest.raises(AudioError) as caught:
            read(path)
        assert caught.value.permanent
    assert not watched.was_opened()
    assert not watched.was_called()
    assert set(path.parent.iterdir()) == before


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_by_another_name_is_no_audio(name, tmp_path, watched):
    for extension in ("m4a", "wav", "mp3", "m3u8"):
        path = tmp_path / f"talk.{extension}"
        path.write_bytes(watched.fill(PLAYLISTS[name]))
        _refused(path, watched)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_libav_would_take_for_an_address_is_only_a_name(name, tmp_path, watched):
    (tmp_path / "frame001.wav").write_bytes(b"x")
    path = tmp_path / name.replace("/", "_")
    path.write_bytes(watched.fill("ffconcat version 1.0\nfile {name}\n"))
    _refused(path, watched)


@pytest.mark.parametrize("name", ["frame%03d.wav", "http:x.wav", "concat:a|b.wav"])
def test_a_recording_by_such_a_name_is_read(name, tmp_path, make_tone):
    make_tone(tmp_path / name, 1.0)
    assert probe(tmp_path / name).duration == 1.0


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _alias(path: bytes) -> bytes:
    """Write a data reference to another file, as QuickTime has them (an alias record with an absolute path)."""
    name = os.path.basename(path)
    record = bytes(10) + b"\x01" + b"v".ljust(27, b"\0") + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0")
    record += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    padded = path + b"\0" * (len(path) % 2)
    for kind in (2, 18):
        record += struct.pack(">HH", kind, len(path)) + padded
    return _box(b"alis", bytes(4), record + b"\xff\xff\0\0")


def _pointing_elsewhere(reference: bytes) -> bytes:
    """Write a QuickTime file whose sound lies in another file: one second of 16-bit PCM at 16 kHz, from byte 44 on."""
    sound = struct.pack(">6xHHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, 16_000 << 16)
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), _box(b"sowt", sound)),
        _box(b"stts", struct.pack(">IIII", 0, 1, 16_000, 1)),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 16_000, 1)),
        _box(b"stsz", struct.pack(">III", 0, 2, 16_000)),
        _box(b"stco", struct.pack(">III", 0, 1, 44)),
    )
    information = _box(
        b"minf",
        _box(b"smhd", bytes(8)),
        _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), reference)),
        table,
    )
    header = struct.pack(">IIIIIHH", 0, 0, 0, 16_000, 16_000, 0, 0)
    media = _box(b"mdia", _box(b"mdhd", header), _box(b"hdlr", bytes(4) + b"mhlrsoun" + bytes(13)), information)
    track = _box(b"trak", _box(b"tkhd", struct.pack(">IIIII", 7, 0, 0, 1, 0) + bytes(64)), media)
    movie = _box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 16_000, 16_000) + bytes(80))
    return _box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + _box(b"moov", movie, track)


@pytest.mark.parametrize("extension", ["mov", "m4a"])
def test_a_container_whose_sound_lies_in_another_file_has_none(extension, tmp_path, watched):
    path = tmp_path / f"talk.{extension}"
    path.write_bytes(_pointing_elsewhere(_alias(os.fsencode(watched.canary))))
    with pytest.raises(AudioError):
        make_canonical(path, tmp_path, "made", "mix")
    assert not watched.was_opened()
    assert not (tmp_path / "made-0.flac").exists()


def test_a_container_whose_sound_lies_on_a_server_asks_nobody(tmp_path, watched):
    path = tmp_path / "talk.mov"
    path.write_bytes(_pointing_elsewhere(_box(b"url ", bytes(4), watched.fill("{http}/a.wav\0"))))
    make_canonical(path, tmp_path, "made", "mix")  # libav takes the bytes of the file itself for the sound
    assert not watched.was_called()


# --- that the traps work: what libav does with the same files where nothing holds it


def test_the_canary_is_a_recording_and_its_reading_is_seen(watched):
    assert not watched.was_opened()
    assert probe(watched.canary).duration == 1.0
    assert watched.was_opened()


def test_unheld_libav_reads_what_a_playlist_names(tmp_path, watched):
    path = tmp_path / "talk.mp3"
    path.write_bytes(watched.fill(PLAYLISTS["ffconcat"]))
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 0
    assert watched.was_opened()


def test_unheld_libav_reads_what_a_container_names(tmp_path, watched):
    path = tmp_path / "talk.mov"
    path.write_bytes(_pointing_elsewhere(_alias(os.fsencode(watched.canary))))
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(path), options=options) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 16_000
    assert watched.was_opened()


def test_unheld_libav_calls_whom_a_playlist_names(tmp_path, watched):
    path = tmp_path / "talk.m3u8"
    path.write_bytes(watched.fill(PLAYLISTS["hls, by http"]))
    options = {"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"}
    with pytest.raises(av.error.FFmpegError):
        av.open(str(path), options=options, timeout=0.5)
    assert watched.was_called()
