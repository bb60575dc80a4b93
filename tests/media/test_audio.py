"""Sound lies where it is heard: on the container's clock, at the right level, whatever is missing."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from abaw_jax.media.audio import Sound, blocks, read
from abaw_jax.media.timeline import Timeline
from abaw_jax.problems import Problem, UnusableFile

REAL = Path(__file__).parents[2].parent / "shared" / "media"
RATE_HZ = 48_000
CLICKS_S = (0.5, 1.0, 2.5)


def clicks(seconds: float = 3.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Silence with soft clicks 4 ms long."""
    sound = np.zeros(round(seconds * rate_hz), np.float32)
    half = rate_hz // 500
    for at_s in CLICKS_S:
        middle = round(at_s * rate_hz)
        sound[middle - half : middle + half + 1] = 0.8 * np.hanning(2 * half + 1)
    return sound


def write_sound(
    path: Path, sound: np.ndarray, codec: str, start_s: float = 0.0, without: tuple[int, ...] = ()
):
    """One stream that starts at `start_s`, the packets of these numbers left out."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="mono")
        resampler = av.AudioResampler(stream.codec_context.format, "mono", RATE_HZ)
        packets = []
        for first in range(0, len(sound), 960):
            frame = av.AudioFrame.from_ndarray(sound[None, first : first + 960], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, first
            for out in resampler.resample(frame):
                packets += stream.encode(out)
        packets += stream.encode()
        offset = round(start_s / packets[0].time_base)
        for number, packet in enumerate(packets):
            if number not in without:
                packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                container.mux(packet)


def hear(path: Path, **how) -> tuple[np.ndarray, list[Problem]]:
    problems: list[Problem] = []
    return read(path, problems.append, **how).samples, problems


def unexpected(problem: Problem) -> None:
    pytest.fail(str(problem))


def clicks_of(samples: np.ndarray, rate_hz: int = 16_000) -> list[float]:
    """When clicks are loudest, in seconds."""
    loud = np.flatnonzero(samples > 0.4)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > rate_hz // 50) + 1)
    return [float(group[np.argmax(samples[group])]) / rate_hz for group in groups]


def test_pcm_at_the_asked_rate_comes_back_exactly(tmp_path):
    noise = np.random.default_rng(0).integers(-32768, 32768, 40_000).astype(np.int16)
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, noise, 16_000, subtype="PCM_16")
        samples, problems = hear(tmp_path / name)
        np.testing.assert_array_equal(samples, soundfile.read(tmp_path / name, dtype="float32")[0])
        assert samples.dtype == np.float32
        assert not problems


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_mono_is_the_mean_of_two_channels(tmp_path, subtype):
    stereo = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    soundfile.write(tmp_path / "a.wav", stereo, 16_000, subtype=subtype)
    samples, _ = hear(tmp_path / "a.wav")
    np.testing.assert_allclose(samples, soundfile.read(tmp_path / "a.wav")[0].mean(1), atol=1e-6)


@pytest.mark.parametrize("from_hz", [8000, 22_050, 44_100, 48_000])
def test_resampling_keeps_level_and_place(tmp_path, from_hz):
    time_s = np.arange(2 * from_hz) / from_hz
    soundfile.write(tmp_path / "a.wav", 0.7 * np.sin(2 * np.pi * 440 * time_s), from_hz, subtype="FLOAT")
    samples, _ = hear(tmp_path / "a.wav")
    assert len(samples) == 32_000
    expected = 0.7 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    np.testing.assert_allclose(samples[400:-400], expected[400:-400], atol=2e-3)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "aac"),
        ("a.mkv", "aac"),
        ("a.mkv", "libopus"),
        ("a.mkv", "pcm_s16le"),
        ("a.avi", "pcm_s16le"),
    ],
)
def test_clicks_are_heard_when_they_were_made(tmp_path, name, codec):
    write_sound(tmp_path / name, clicks(), codec)
    samples, problems = hear(tmp_path / name)
    assert clicks_of(samples) == pytest.approx(CLICKS_S, abs=1e-3)
    assert len(samples) / 16_000 == pytest.approx(3, abs=0.03)
    assert not problems


def test_a_late_stream_has_silence_in_front(tmp_path):
    write_sound(tmp_path / "a.mkv", clicks(), "pcm_s16le", start_s=0.3)
    samples, problems = hear(tmp_path / "a.mkv")
    assert clicks_of(samples) == pytest.approx(np.add(CLICKS_S, 0.3), abs=1e-3)
    assert not samples[:4800].any()
    assert not problems


def test_what_lies_before_zero_is_not_heard(tmp_path):
    soundfile.write(tmp_path / "a.wav", clicks(rate_hz=16_000), 16_000)
    samples, _ = hear(tmp_path / "a.wav", start_s=-0.75)
    assert clicks_of(samples) == pytest.approx([0.25, 1.75], abs=1e-3)
    assert len(samples) == round(2.25 * 16_000)


def test_a_sound_file_is_laid_where_its_stream_started(tmp_path):
    soundfile.write(tmp_path / "a.wav", clicks(rate_hz=16_000), 16_000)
    samples, _ = hear(tmp_path / "a.wav", start_s=0.3)
    assert clicks_of(samples) == pytest.approx(np.add(CLICKS_S, 0.3), abs=1e-3)


@pytest.mark.parametrize("without", [(80,), (70, 71, 72, 80)])
def test_holes_are_silent_and_move_nothing(tmp_path, without):
    write_sound(tmp_path / "a.mkv", clicks(), "aac", without=without)
    samples, problems = hear(tmp_path / "a.mkv")
    assert clicks_of(samples) == pytest.approx(CLICKS_S, abs=1e-3)
    assert [problem.kind for problem in problems] == ["holes in the sound"]
    assert f"{len(without) // 2 or 1} holes" in problems[0].found


def test_blocks_are_bounded_and_join_to_the_whole(tmp_path):
    write_sound(tmp_path / "a.mkv", clicks(), "aac", start_s=2.3)
    pieces = list(blocks(tmp_path / "a.mkv", unexpected))
    assert {len(piece) for piece in pieces[:-1]} == {16_000}
    assert len(pieces[-1]) <= 16_000
    np.testing.assert_array_equal(np.concatenate(pieces), read(tmp_path / "a.mkv", unexpected).samples)


def test_a_video_without_sound_has_none(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    assert read(tmp_path / "a.mp4", unexpected) is None
    assert blocks(tmp_path / "a.mp4", unexpected) is None


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 99])
def test_what_is_no_sound_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UnusableFile, match=r"a\.wav: .*expected sound"):
        hear(tmp_path / "a.wav")


def test_an_empty_sound_is_a_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    sound = read(tmp_path / "a.wav", unexpected)
    assert isinstance(sound, Sound)
    assert sound.duration_s == 0


def test_of_a_cut_file_comes_what_is_there_and_a_problem(tmp_path):
    write_sound(tmp_path / "a.mkv", clicks(), "aac")
    with av.open(str(tmp_path / "a.mkv")) as container:
        positions = [packet.pos for packet in container.demux(audio=0)]
    (tmp_path / "a.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[: positions[94]])
    samples, problems = hear(tmp_path / "a.mkv")
    assert clicks_of(samples) == pytest.approx(CLICKS_S[:2], abs=1e-3)
    assert len(samples) / 16_000 == pytest.approx(2, abs=0.05)
    assert [problem.kind for problem in problems] == ["broken tail"]


def test_a_cut_wav_is_noticed(tmp_path):
    soundfile.write(tmp_path / "a.wav", clicks(rate_hz=16_000), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: 44 + 2 * 24_000])
    samples, problems = hear(tmp_path / "a.wav")
    assert len(samples) == 24_000
    assert [problem.kind for problem in problems] == ["broken tail"]


def test_a_change_of_format_on_the_way_is_followed(tmp_path):
    with av.open(str(tmp_path / "a.mp3"), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 44_100), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = 44_100, Fraction(1, 44_100), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    first = (tmp_path / "a.mp3").read_bytes()
    write_sound(tmp_path / "b.mp3", clicks(), "libmp3lame")
    (tmp_path / "a.mp3").write_bytes(first + (tmp_path / "b.mp3").read_bytes())
    samples, _ = hear(tmp_path / "a.mp3")
    apart = np.diff(clicks_of(samples))
    np.testing.assert_allclose(apart, np.diff(CLICKS_S), atol=1e-3)


def test_jitter_is_no_hole_and_drift_is_followed():
    timeline = Timeline(1000)
    assert timeline.starts(0.0, 0.02)
    assert not any(timeline.starts(k * 0.02 + (-1) ** k * 0.004, 0.02) for k in range(1, 100))
    drifting = Timeline(1000)
    assert sum(drifting.starts(k * 0.021, 0.02) for k in range(100)) - 1 == drifting.holes == 6


def test_a_broken_clock_is_told_and_not_followed():
    timeline = Timeline(1000)
    assert timeline.starts(95_443.7, 0.02)
    assert sum(map(len, timeline.move())) == 0
    assert not timeline.starts(0.02, 0.02)
    assert not timeline.starts(0.04, 0.02)
    assert timeline.wild_jump_s is not None


def test_holes_add_up_to_no_more_than_an_hour():
    timeline = Timeline(1000)
    timeline.starts(0.0, 0.0)
    followed = [timeline.starts(k * 1000.0, 0.0) for k in range(1, 6)]
    assert followed == [True, True, True, False, False]
    assert timeline.silent_s == 3000


def test_sound_on_top_of_sound_is_not_heard_twice():
    timeline = Timeline(1000)
    timeline.starts(0.0, 0.1)
    list(timeline.move())
    assert len(timeline.lay(np.ones(100, np.float32))) == 100
    assert timeline.starts(0.05, 0.1)
    list(timeline.move())
    assert len(timeline.lay(np.ones(100, np.float32))) == 50


@pytest.mark.skipif(not REAL.exists(), reason="real clips are not here")
def test_real_clips():
    samples, problems = hear(REAL / "jfk.flac")
    assert len(samples) == 11 * 16_000
    for name, seconds in (("single_face.mp4", 2.42), ("no_face.mp4", 3.95)):
        samples, found = hear(REAL / name)
        problems += found
        assert len(samples) / 16_000 == pytest.approx(seconds, abs=0.05)
        assert 0 < np.abs(samples).max() <= 1
    assert not problems
