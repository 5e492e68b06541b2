# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from speechmill.core.errors import AudioError
from speechmill.formats.flac import encode_flac, write_flac
from speechmill.formats.flac_bits import crc16_of, frame
from speechmill.formats.flac_cut import FlacCutter

RATE = 24_000
BLOCK = 2304  # what libav takes at 24 kHz
NUM_SAMPLES = 10 * BLOCK + 700
SPANS = [
    (0, NUM_SAMPLES),
    (0, 1),
    (0, BLOCK),
    (1, BLOCK),
    (5, 9),
    (100, 103),
    (BLOCK - 1, BLOCK),
    (BLOCK - 1, BLOCK + 1),
    (BLOCK - 15, BLOCK + 1),
    (BLOCK - 15, 3 * BLOCK),  # too few samples for a block of their own: the next frame is coded anew too
    (BLOCK - 16, 3 * BLOCK),
    (BLOCK - 3, 2 * BLOCK + 20),
    (BLOCK, 2 * BLOCK),
    (BLOCK, 5 * BLOCK),
    (BLOCK + 100, 2 * BLOCK + 50),
    (BLOCK + 100, 9 * BLOCK - 100),
    (9 * BLOCK + 1, NUM_SAMPLES),
    (10 * BLOCK, NUM_SAMPLES),
    (NUM_SAMPLES - 1, NUM_SAMPLES),
    (3 * BLOCK, NUM_SAMPLES + 999),  # clipped to what there is
]


def noise() -> np.ndarray:
    return np.random.default_rng(7).integers(-32768, 32768, NUM_SAMPLES).astype(np.int16)


def murmur() -> np.ndarray:
    steps = np.random.default_rng(8).normal(0, 30, NUM_SAMPLES)
    return np.convolve(steps, np.ones(30), "same").astype(np.int16)


SOUNDS = {
    "silence": np.zeros(NUM_SAMPLES, np.int16),
    "constant": np.full(NUM_SAMPLES, -32768, np.int16),
    "noise": noise(),
    "murmur": murmur(),
    "loudest": np.tile(np.array([32767, -32768], np.int16), NUM_SAMPLES // 2),
    "line": (np.arange(NUM_SAMPLES) // 2).astype(np.int16),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flac-cut")
    for name, samples in SOUNDS.items():
        write_flac(made / f"{name}.flac", samples, RATE)
    return made


def by_libflac(content: bytes) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == RATE
    return samples


def by_libav(content: bytes) -> np.ndarray:
    """Decode and check every frame's checksum."""
    with av.open(io.BytesIO(content), options={"err_detect": "crccheck+explode"}) as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(stream)])


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("decode", [by_libflac, by_libav])
def test_a_clip_holds_exactly_its_samples(folder: Path, sound: str, decode: object) -> None:
    with FlacCutter(folder / f"{sound}.flac") as cutter:
        found = [cutter.flac(start, stop) for start, stop in SPANS]
    assert len(found) == len(SPANS)
    for (start, stop), content in zip(SPANS, found, strict=True):
        assert decode(content).tolist() == SOUNDS[sound][start:stop].tolist(), (start, stop)  # type: ignore[operator]


def test_chance_cuts_hold_their_samples(folder: Path) -> None:
    rng = np.random.default_rng(9)
    with FlacCutter(folder / "murmur.flac") as cutter:
        for start, stop in np.sort(rng.integers(0, NUM_SAMPLES, (50, 2)), axis=1).tolist():
            if start < stop:
                assert by_libflac(cutter.flac(start, stop)).tolist() == SOUNDS["murmur"][start:stop].tolist()
                assert cutter.pcm(start, stop).tolist() == SOUNDS["murmur"][start:stop].tolist()


def test_one_clip_is_the_same_alone_and_prepared_with_others(folder: Path) -> None:
    with FlacCutter(folder / "murmur.flac") as cutter:
        alone = [cutter.flac(start, stop) for start, stop in SPANS]
        cutter.prepare([*SPANS, *SPANS])
        assert [cutter.flac(start, stop) for start, stop in reversed(SPANS)] == alone[::-1]
        assert by_libflac(cutter.flac(7, 5000)).tolist() == SOUNDS["murmur"][7:5000].tolist()  # not prepared


def test_frames_are_copied_and_not_coded_anew(folder: Path) -> None:
    source = (folder / "murmur.flac").read_bytes()
    with FlacCutter(folder / "murmur.flac") as cutter:
        clip = cutter.flac(100, 8 * BLOCK)
        bounds = cutter._frames.bounds
    for first in range(1, 8):
        assert source[bounds[first] + 10 : bounds[first + 1] - 2] in clip


def test_a_clip_of_a_quiet_recording_is_hardly_larger_than_an_encoder_makes_it(folder: Path) -> None:
    with FlacCutter(folder / "murmur.flac") as cutter:
        mine = len(cutter.flac(100, 9 * BLOCK + 100))
    theirs = len(encode_flac(SOUNDS["murmur"][100 : 9 * BLOCK + 100], RATE)) - 8192  # libav leaves room for tags
    assert mine < 1.1 * theirs


def test_numbers_of_samples_grow_to_four_bytes(tmp_path: Path) -> None:
    samples = np.tile(SOUNDS["murmur"], 5)
    write_flac(tmp_path / "long.flac", samples, RATE)
    with FlacCutter(tmp_path / "long.flac") as cutter:
        clip = cutter.flac(50, len(samples))
    assert len(samples) > 1 << 16
    assert by_libflac(clip).tolist() == samples[50:].tolist()
    with soundfile.SoundFile(io.BytesIO(clip)) as file:  # seeks by the numbers in the frames
        file.seek(90_000)
        assert file.read(100, dtype="int16").tolist() == samples[90_050:90_150].tolist()


def test_bytes_that_look_like_a_header_are_not_taken_for_one(tmp_path: Path) -> None:
    """Noise is stored as it is, so that a header of any number can be planted in it."""
    samples = noise()
    plain = encode_flac(samples, RATE)
    with FlacCutter(_written(tmp_path / "plain.flac", plain)) as cutter:
        begin = int(cutter._frames.bounds[1])
        third = cutter._third
    planted = np.frombuffer(bytes((0xFF, 0xF8, third, 0x08, 0x03, 0x55)), ">i2").astype(np.int16)
    samples[50:53] = planted
    content = encode_flac(samples, RATE)
    assert planted.astype(">i2").tobytes() in content[:begin]
    with FlacCutter(_written(tmp_path / "planted.flac", content)) as cutter:
        assert by_libflac(cutter.flac(40, 3 * BLOCK + 7)).tolist() == samples[40 : 3 * BLOCK + 7].tolist()


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_clip_that_has_no_sample_is_an_error(folder: Path) -> None:
    with FlacCutter(folder / "noise.flac") as cutter:
        with pytest.raises(AudioError, match="no-samples"):
            cutter.flac(NUM_SAMPLES, NUM_SAMPLES + 5)
        with pytest.raises(AudioError, match="no-samples"):
            cutter.flac(5, 5)
        assert cutter.pcm(NUM_SAMPLES, NUM_SAMPLES + 5).tolist() == []


def test_a_file_without_samples_opens(tmp_path: Path) -> None:
    write_flac(tmp_path / "empty.flac", np.zeros(0, np.int16), RATE)
    with FlacCutter(tmp_path / "empty.flac") as cutter, pytest.raises(AudioError, match="no-samples"):
        cutter.flac(0, 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content, bounds: content[: bounds[6] + 9], "frames and should have"),
        (lambda content, bounds: content[: bounds[3]] + content[bounds[4] :], "frames and should have"),
        (
            lambda content, bounds: content[: bounds[3]] + content[bounds[4] : bounds[5]] + content[bounds[4] :],
            "header",
        ),
        (lambda content, bounds: content[: bounds[3] + 5] + b"\x00" + content[bounds[3] + 6 :], "header of frame 3"),
        (lambda content, bounds: content[:100], "it ends at byte"),
        (lambda content, bounds: b"", "no FLAC header"),
        (lambda content, bounds: b"RIFF" + content[4:], "no FLAC header"),
    ],
)
def test_a_broken_file_is_refused(folder: Path, tmp_path: Path, damage: object, message: str) -> None:
    with FlacCutter(folder / "noise.flac") as cutter:
        bounds = cutter._frames.bounds.tolist()
    content = damage((folder / "noise.flac").read_bytes(), bounds)  # type: ignore[operator]
    with pytest.raises(AudioError, match=message) as caught:
        FlacCutter(_written(tmp_path / "broken.flac", content))
    assert not caught.value.permanent


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="canonical-audio-missing"):
        FlacCutter(tmp_path / "gone.flac")


def test_two_channels_are_refused(tmp_path: Path) -> None:
    write_flac(tmp_path / "stereo.flac", np.zeros((2, 5000), np.int16), RATE)
    with pytest.raises(AudioError, match="2 channels of 16 bits"):
        FlacCutter(tmp_path / "stereo.flac")


def test_a_damaged_frame_is_told_where_it_is_decoded_and_keeps_a_wrong_checksum_where_it_is_copied(
    folder: Path, tmp_path: Path
) -> None:
    content = bytearray((folder / "noise.flac").read_bytes())
    with FlacCutter(folder / "noise.flac") as cutter:
        place = int(cutter._frames.bounds[4]) + 500
    content[place] ^= 1
    with FlacCutter(_written(tmp_path / "damaged.flac", bytes(content))) as cutter:
        with pytest.raises(AudioError, match="canonical-audio-corrupt"):
            cutter.flac(4 * BLOCK + 5, 7 * BLOCK)
        copied = cutter.flac(3 * BLOCK, 7 * BLOCK)
    with pytest.raises((av.error.FFmpegError, AssertionError)):
        assert len(by_libav(copied)) == 4 * BLOCK


@pytest.mark.skipif(shutil.which("flac") is None, reason="the flac program is not installed")
@pytest.mark.parametrize("sound", SOUNDS)
def test_the_flac_program_finds_no_fault(folder: Path, tmp_path: Path, sound: str) -> None:
    with FlacCutter(folder / f"{sound}.flac") as cutter:
        paths = [_written(tmp_path / f"{i}.flac", cutter.flac(*span)) for i, span in enumerate(SPANS)]
    done = subprocess.run(["flac", "-t", *map(os.fspath, paths)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc16_of(b"123456789") == 0xFEE8  # CRC-16/UMTS: polynomial 0x8005, not reflected, starts with 0


@pytest.mark.parametrize("number", [0, 127, 128, 2047, 2048, 65_535, 65_536, 2_097_151, 2_097_152, 67_108_864])
def test_a_frame_tells_its_number(number: int) -> None:
    head = frame(7, number, np.arange(100, dtype=np.int16))
    assert head[:4] == b"\xff\xf9\x77\x08"
    size = max(1, (number.bit_length() + 3) // 5) if number > 127 else 1
    if size < 5 and not 0xD800 <= number <= 0xDFFF and number < 0x110000:
        assert head[4 : 4 + size].decode() == chr(number)
    assert head[4 + size : 6 + size] == b"\x00\x63"


def test_clips_one_after_another_share_the_frame_between_them(folder: Path) -> None:
    marks = [0, 10, 3000, 3001, 2 * BLOCK, 2 * BLOCK + 30, 5 * BLOCK - 1, 5 * BLOCK, 9 * BLOCK + 5, NUM_SAMPLES]
    spans = list(itertools.pairwise(marks))
    samples = SOUNDS["murmur"]
    with FlacCutter(folder / "murmur.flac") as cutter:
        for order in (spans, spans[::-1], [spans[1], spans[1], spans[0]]):
            for start, stop in order:
                assert cutter.pcm(start, stop).tolist() == samples[start:stop].tolist()
                assert by_libflac(cutter.flac(start, stop)).tolist() == samples[start:stop].tolist()


def test_long_clips_hold_their_samples_and_short_ones_behind_them(tmp_path: Path) -> None:
    """More frames than are decoded together, and more bytes than are read at first."""
    samples = np.tile(noise(), 14)
    write_flac(tmp_path / "long.flac", samples, RATE)
    spans = [(0, len(samples)), (5, 6), (100, 130 * BLOCK + 7), (BLOCK, 3 * BLOCK), (64 * BLOCK - 1, 64 * BLOCK + 1)]
    with FlacCutter(tmp_path / "long.flac") as cutter:
        for start, stop in spans:
            assert np.array_equal(cutter.pcm(start, stop), samples[start:stop])
            assert np.array_equal(by_libflac(cutter.flac(start, stop)), samples[start:stop])


def test_good_frames_are_decoded_behind_a_damaged_one(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "noise.flac").read_bytes())
    with FlacCutter(folder / "noise.flac") as cutter:
        content[int(cutter._frames.bounds[4]) + 500] ^= 1
    with FlacCutter(_written(tmp_path / "damaged.flac", bytes(content))) as cutter:
        with pytest.raises(AudioError, match="canonical-audio-corrupt"):
            cutter.pcm(3 * BLOCK, 7 * BLOCK)
        assert cutter.pcm(5 * BLOCK, 8 * BLOCK).tolist() == SOUNDS["noise"][5 * BLOCK : 8 * BLOCK].tolist()
        assert cutter.pcm(BLOCK, 4 * BLOCK).tolist() == SOUNDS["noise"][BLOCK : 4 * BLOCK].tolist()
