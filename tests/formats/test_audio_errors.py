# SPDX-License-Identifier: Apache-2.0
"""Files that are empty, broken, cut off or hostile, and disks that are full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from speechmill.core.errors import AudioError
from speechmill.formats import working
from speechmill.formats.audio import make_canonical, probe, read_audio, write_wav
from speechmill.formats.flac import FlacWriter


def noise(seconds, sampling_rate):
    return np.random.default_rng(0).normal(0, 0.1, (1, int(seconds * sampling_rate))).astype(np.float32)


def reason_of(path, folder):
    with pytest.raises(AudioError) as error:
        make_canonical(path, folder / "out", "rec", "mix")
    assert not list((folder / "out").glob("*"))
    assert str(path) in error.value.detail
    return error.value


HOSTILE = {
    "text.wav": b"hello there\n" * 500,
    "text.mp3": b"hello there\n" * 500,
    "text.ogg": b"hello there\n" * 500,
    "picture.mp3": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "zeros.wav": bytes(50_000),
    "hls.wav": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "hls.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "concat.wav": b"ffconcat version 1.0\nfile secret.wav\n",
    "dash.mp4": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile"/>\n',
    "sdp.wav": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_audio_container_is_refused_and_no_other_file_is_read(tmp_path, name):
    write_wav(tmp_path / "secret.wav", noise(1.0, 16_000), 16_000)
    (tmp_path / name).write_bytes(HOSTILE[name])
    error = reason_of(tmp_path / name, tmp_path)
    assert (error.reason, error.permanent) == ("not-audio", True)
    with pytest.raises(AudioError, match="not-audio"):
        probe(tmp_path / name)


def test_the_playlist_would_be_followed_without_the_allow_list(tmp_path):
    write_wav(tmp_path / "secret.wav", noise(1.0, 16_000), 16_000)
    (tmp_path / "concat.wav").write_bytes(HOSTILE["concat.wav"])
    with av.open(str(tmp_path / "concat.wav")) as container:
        assert container.format.name == "concat"


def test_a_name_like_a_protocol_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.wav", "pipe:0", "subfile,,start,0,end,9,,:a.wav"):
        write_wav(tmp_path / "plain.wav", noise(1.0, 16_000), 16_000)
        os.replace("plain.wav", name)
        assert read_audio(Path(name))[0].shape == (1, 16_000)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.wav").touch()
    assert reason_of(tmp_path / "a.wav", tmp_path).reason == "zero-bytes"


def test_a_file_that_is_gone_or_forbidden_may_come_back(tmp_path, monkeypatch):
    error = reason_of(tmp_path / "a.wav", tmp_path)
    assert (error.reason, error.permanent) == ("unreadable", False)
    write_wav(tmp_path / "a.wav", noise(1.0, 16_000), 16_000)

    def forbidden(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # root may read everything
    error = reason_of(tmp_path / "a.wav", tmp_path)
    assert (error.reason, error.permanent) == ("unreadable", False)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_no_audio(tmp_path, kind):
    path = tmp_path / "a.wav"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert reason_of(path, tmp_path).reason == "not-audio"


def test_a_video_without_sound(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    assert reason_of(tmp_path / "a.mp4", tmp_path).reason == "no-audio-stream"


def test_nothing_decodable(tmp_path, encode):
    path = encode(tmp_path / "a.mka", noise(2.0, 48_000), 48_000, "libmp3lame")
    content = bytearray(path.read_bytes())
    start = content.index(b"\x1f\x43\xb6\x75")  # the cluster that holds the packets
    frames = content[start:].replace(b"\xff\xfb", b"\x00\x00")
    path.write_bytes(content[:start] + frames)
    assert reason_of(path, tmp_path).reason == "decode-error"


def test_a_recording_beyond_the_limit_is_refused_and_leaves_nothing(tmp_path):
    write_wav(tmp_path / "a.wav", noise(5.0, 16_000), 16_000)
    with pytest.raises(AudioError, match="too-long"):
        make_canonical(tmp_path / "a.wav", tmp_path / "out", "rec", "mix", max_duration_s=4.9)
    assert list((tmp_path / "out").iterdir()) == []
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path / "out", "rec", "mix", max_duration_s=5.0)
    opened.close()
    assert canonical.duration == 5.0


@pytest.mark.parametrize(
    ("name", "codec", "fmt", "options"),
    [
        ("a.wav", "pcm_s16le", "s16", {}),
        ("a.flac", "flac", "s16", {}),
        ("a.mp3", "libmp3lame", "fltp", {}),
        ("a.m4a", "aac", "fltp", {"movflags": "faststart"}),
        ("a.mka", "aac", "fltp", {}),
        ("a.aiff", "pcm_s16be", "s16", {}),
        ("a.wv", "wavpack", "s16p", {}),
    ],
)
def test_what_a_truncated_file_still_holds_is_kept_and_said(tmp_path, encode, name, codec, fmt, options):
    samples = noise(10.0, 44_100)
    if fmt.startswith("s16"):
        samples = np.rint(samples * 32767).astype(np.int16)
    path = encode(tmp_path / name, samples, 44_100, codec, fmt=fmt, container_options=options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    canonical, opened = make_canonical(path, tmp_path / "out", "rec", "mix")
    with opened:
        assert np.sqrt(np.mean(opened.read(canonical.duration - 1.0) ** 2)) > 0.05
    assert canonical.truncated
    assert 5.0 < canonical.duration < 6.6
    assert canonical.warnings[0].startswith("truncated: 10.0 s promised, ")


def test_a_disk_that_fails_while_it_is_read_is_no_truncated_file(tmp_path, encode, monkeypatch):
    samples = np.rint(noise(10.0, 44_100) * 32767).astype(np.int16)
    path = encode(tmp_path / "a.wv", samples, 44_100, "wavpack", fmt="s16p")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])  # libav stops with an error, for whatever cause
    openings = []
    real = Path.open

    def failing(self, *args, **kwargs):
        openings.append(self)
        if self == path and len(openings) > 1:
            raise OSError(errno.EIO, "Input/output error")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", failing)
    error = reason_of(path, tmp_path)
    assert (error.reason, error.permanent) == ("unreadable", False)


def test_a_wav_from_a_pipe_is_not_truncated(tmp_path):
    write_wav(tmp_path / "a.wav", noise(2.0, 16_000), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(content[:4] + b"\xff" * 4 + content[8:40] + b"\xff" * 4 + content[44:])
    canonical, opened = make_canonical(tmp_path / "b.wav", tmp_path, "rec", "mix")
    opened.close()
    assert (canonical.duration, canonical.truncated) == (2.0, False)


def test_an_m4a_cut_off_before_its_index_says_what_to_do(tmp_path, encode):
    path = encode(tmp_path / "a.m4a", noise(5.0, 48_000), 48_000, "aac")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    error = reason_of(path, tmp_path)
    assert error.reason == "decode-error"
    assert "moov" in error.detail


def test_broken_packets_in_the_middle_are_counted_and_the_rest_kept(tmp_path, encode):
    path = encode(tmp_path / "a.flac", np.rint(noise(10.0, 24_000) * 32767).astype(np.int16), 24_000, "flac", fmt="s16")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(content)
    canonical, opened = make_canonical(path, tmp_path / "out", "rec", "mix")
    with opened:
        assert np.sqrt(np.mean(opened.read(8.0, 1.0, sampling_rate=24_000) ** 2)) == pytest.approx(0.1, abs=0.01)
    assert canonical.duration == pytest.approx(10.0, abs=0.01)
    assert any(warning.startswith(("broken-packets", "holes")) for warning in canonical.warnings)


needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")


@needs_full_disk
def test_a_full_disk_under_the_flac_is_an_oserror():
    samples = np.random.default_rng(0).integers(-32768, 32767, (1, 240_000), dtype=np.int16)
    with open("/dev/full", "wb", buffering=0) as full:
        with pytest.raises(OSError) as error:
            write_all(full, samples)
        assert error.value.errno == errno.ENOSPC


def write_all(file, samples):
    writer = FlacWriter(file, 24_000)
    try:
        writer.write(samples)
        writer.close()
    except BaseException:
        writer.abandon()
        raise


def full_file():
    return Path("/dev/full").open("r+b", buffering=0)


@needs_full_disk
def test_a_full_disk_under_the_working_copy_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("speechmill.formats.audio.MEMORY_S", 1.0)
    monkeypatch.setattr(working.tempfile, "TemporaryFile", lambda **_: full_file())
    write_wav(tmp_path / "a.wav", noise(5.0, 16_000), 16_000)
    with pytest.raises(OSError) as error:
        make_canonical(tmp_path / "a.wav", tmp_path / "out", "rec", "mix")
    assert error.value.errno == errno.ENOSPC
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_size_limit_while_writing_is_an_oserror_and_leaves_nothing(tmp_path):
    write_wav(tmp_path / "a.wav", noise(20.0, 24_000), 24_000)
    script = f"""
import resource, signal
from pathlib import Path
from speechmill.formats.audio import make_canonical
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    make_canonical(Path({str(tmp_path / "a.wav")!r}), Path({str(tmp_path / "out")!r}), "rec", "mix")
except OSError as error:
    print("OSError", error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"OSError {errno.EFBIG}\n", "")
    assert list((tmp_path / "out").iterdir()) == []


def test_broken_files_make_no_noise_on_stderr(tmp_path, encode):
    path = encode(tmp_path / "a.mp3", noise(5.0, 48_000), 48_000, "libmp3lame")
    content = bytearray(path.read_bytes())
    content[20_000:30_000] = bytes(range(250)) * 40
    path.write_bytes(content[:60_000])
    (tmp_path / "text.wav").write_text("no audio")
    script = """
import sys
from pathlib import Path
from speechmill.core.errors import AudioError
from speechmill.formats.audio import make_canonical
folder = Path(sys.argv[1])
print(make_canonical(folder / "a.mp3", folder, "rec", "mix")[0].duration > 1)
try:
    make_canonical(folder / "text.wav", folder, "rec", "mix")
except AudioError as error:
    print(error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\nnot-audio\n", "")
