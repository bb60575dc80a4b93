"""Frames come upright, in order and at their own times, and lose neither when a file is broken."""

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abaw_jax.corpus.containers import probe
from abaw_jax.media.clock import Clock, rows_at
from abaw_jax.media.video import Frame, frames
from abaw_jax.problems import Problem, UnusableFile

REAL = Path(__file__).parents[2].parent / "shared" / "media"
WIDTH, HEIGHT = 64, 48
BITS = 6
"""Frames carry their number as so many black and white bars, which no codec here mistakes."""


def write_video(path: Path, count: int = 50, codec: str = "libx264", rate: Fraction = Fraction(30), **how):
    """Frames that show their number, the upper left corner white."""
    with av.open(str(path), "w", container_options=how.get("container", {})) as container:
        stream = container.add_stream(
            codec, rate=rate, options={"g": "10", "qmax": "4", **how.get("options", {})}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if "rotation" in how:
            stream.set_display_rotation(how["rotation"])
        for number in range(count):
            image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
            image[:16, :16] = 255
            for bit in range(BITS):
                image[24:, 8 * bit : 8 * bit + 8] = 220 * (number >> bit & 1)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = how["pts"][number] if "pts" in how else number
            frame.time_base = how.get("time_base", 1 / rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def number_of(frame: Frame) -> int:
    return sum((frame.image[40, 8 * bit + 4].mean() > 110) << bit for bit in range(BITS))


def read(path: Path) -> tuple[list[Frame], list[Problem]]:
    problems: list[Problem] = []
    return list(frames(path, problems.append)), problems


def unexpected(problem: Problem) -> None:
    pytest.fail(str(problem))


def packets_of(path: Path) -> list[tuple[int, int]]:
    """(position in the file, size)"""
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(video=0) if p.size]


def break_packets(path: Path, numbers: list[int]) -> None:
    """Noise in place of the packets of these numbers; Matroska's have their headers with them."""
    spared = 8 * (path.suffix == ".mkv")
    packets, content = packets_of(path), bytearray(path.read_bytes())
    for position, size in (packets[number] for number in numbers):
        noise = np.random.default_rng(1).integers(0, 256, size - spared, np.uint8)
        content[position + spared : position + size] = noise.tobytes()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", Fraction(30)),
        ("a.mkv", "libx264", Fraction(24000, 1001)),
        ("a.ts", "libx264", Fraction(25)),
        ("a.avi", "mpeg4", Fraction(767, 100)),
        ("b.avi", "libx264", Fraction(30)),
        ("a.mp4", "mpeg4", Fraction(23669, 1000)),
    ],
)
def test_frame_k_is_row_k_at_the_time_that_the_container_gives_it(tmp_path, name, codec, rate):
    path = tmp_path / name
    write_video(path, codec=codec, rate=rate)
    shown, problems = read(path)
    assert not problems
    assert [number_of(frame) for frame in shown] == [frame.index for frame in shown] == list(range(50))
    np.testing.assert_array_equal([frame.time_s for frame in shown], probe(path).times_s)
    assert shown[0].image.shape == (HEIGHT, WIDTH, 3)


def test_reordered_mpeg4_in_avi_keeps_its_rows(tmp_path):
    path = tmp_path / "a.avi"
    write_video(path, codec="mpeg4", options={"bf": "2"})
    shown, problems = read(path)
    assert not problems
    assert [number_of(frame) for frame in shown] == [frame.index for frame in shown] == list(range(50))


def test_variable_frame_rates_are_seen_in_the_times(tmp_path):
    ticks = np.cumsum([0, *np.random.default_rng(0).integers(10, 200, 49)])
    write_video(tmp_path / "a.mp4", pts=ticks.tolist(), time_base=Fraction(1, 1000), rate=Fraction(1000))
    shown, _ = read(tmp_path / "a.mp4")
    np.testing.assert_allclose([frame.time_s for frame in shown], ticks / 1000, atol=1e-9)


def test_a_stream_without_stamps_is_counted(tmp_path):
    write_video(tmp_path / "a.h264", rate=Fraction(25))
    shown, _ = read(tmp_path / "a.h264")
    assert [frame.index for frame in shown] == list(range(50))
    np.testing.assert_allclose([frame.time_s for frame in shown], (np.arange(50) + 0.5) / 25)


@pytest.mark.parametrize(("rotation", "corner"), [(0, "nw"), (90, "sw"), (180, "se"), (270, "ne")])
def test_phones_frames_come_upright(tmp_path, rotation, corner):
    write_video(tmp_path / "a.mp4", count=3, rotation=rotation)
    (first, *_), _ = read(tmp_path / "a.mp4")
    assert first.image.shape[:2] == ((HEIGHT, WIDTH) if rotation % 180 == 0 else (WIDTH, HEIGHT))
    white = first.image[{"n": 4, "s": -4}[corner[0]], {"w": 4, "e": -4}[corner[1]]]
    assert white.min() > 230


def test_front_cameras_frames_are_mirrored_back(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, count=3, rotation=180)
    turned = np.array([-65536, 0, 0, 0, -65536], ">i4").tobytes()
    content = path.read_bytes()
    assert content.count(turned) == 1
    path.write_bytes(content.replace(turned, np.array([-65536, 0, 0, 0, 65536], ">i4").tobytes()))
    (first, *_), _ = read(path)
    assert first.image[4, -4].min() > 230


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "0 bytes"), (b"no video at all" * 99, "Invalid data"), (None, "No such file")],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, content, found):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableFile, match=f"a.mp4: .*{found}.*expected a video"):
        read(path)


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mka"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    with pytest.raises(UnusableFile, match="no video stream"):
        read(tmp_path / "a.mka")


def test_a_title_in_another_encoding_is_no_reason_to_refuse(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        container.metadata["title"] = "XXXX"
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")))
        container.mux(stream.encode())
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content.replace(b"XXXX", "é".encode("latin-1") * 4))
    assert len(read(tmp_path / "a.mp4")[0]) == 1


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_frames_after_a_broken_packet_keep_their_rows_and_times(tmp_path, name, codec):
    path = tmp_path / name
    write_video(path, codec=codec)
    times = probe(path).times_s
    break_packets(path, [22, 23])
    shown, problems = read(path)
    lost = sorted(set(range(50)) - {frame.index for frame in shown})
    assert 1 <= len(lost) <= 2
    np.testing.assert_array_equal([f.time_s for f in shown], times[[f.index for f in shown]])
    assert [number_of(frame) for frame in shown[-20:]] == list(range(30, 50))
    assert [problem.kind for problem in problems] == ["damaged video"]
    assert "2 of 50 packets" in problems[0].found


def test_a_lost_frame_of_reordered_mpeg4_in_avi_moves_nobody(tmp_path):
    write_video(tmp_path / "a.avi", codec="mpeg4", options={"bf": "2"})
    break_packets(tmp_path / "a.avi", [23])
    shown, _ = read(tmp_path / "a.avi")
    assert 47 <= len(shown) <= 49
    assert [number_of(frame) for frame in shown[-20:]] == [frame.index for frame in shown[-20:]]
    assert all(number_of(frame) == frame.index for frame in shown[:20])


def test_frames_that_an_edit_list_hides_are_no_rows(tmp_path):
    write_video(tmp_path / "a.mp4", pts=list(range(-15, 35)), options={"bf": "0"})
    shown, problems = read(tmp_path / "a.mp4")
    assert [number_of(frame) for frame in shown] == list(range(15, 50))
    assert [frame.index for frame in shown] == list(range(35))
    np.testing.assert_array_equal([frame.time_s for frame in shown], probe(tmp_path / "a.mp4").times_s)
    assert not problems


def test_a_broken_last_packet_costs_no_frame_before_it(tmp_path):
    write_video(tmp_path / "a.mp4")
    break_packets(tmp_path / "a.mp4", [49])
    shown, problems = read(tmp_path / "a.mp4")
    assert len(shown) == 49
    assert len({frame.index for frame in shown}) == 49
    assert "1 of 50 packets undecodable" in problems[0].found


@pytest.mark.parametrize("packet", [20, 40, 49])
def test_of_a_cut_file_comes_what_is_there_and_a_problem(tmp_path, packet):
    path = tmp_path / "a.mp4"
    write_video(path, container={"movflags": "faststart"})
    position, size = packets_of(path)[packet]
    path.write_bytes(path.read_bytes()[: position + size // 2])
    shown, problems = read(path)
    assert packet - 1 <= len(shown) <= packet + 1
    np.testing.assert_allclose([f.time_s for f in shown], [number_of(f) / 30 for f in shown], atol=1e-4)
    assert "broken tail" in [problem.kind for problem in problems]


def test_an_avi_that_ends_early_is_noticed_by_its_header(tmp_path):
    path = tmp_path / "a.avi"
    write_video(path, codec="mpeg4", count=120)
    path.write_bytes(path.read_bytes()[: sum(packets_of(path)[59])])
    shown, problems = read(path)
    assert len(shown) == 60
    assert [(p.kind, p.found) for p in problems] == [("broken tail", "the end at 2.00 s")]


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        frame = av.VideoFrame(160, 120, "yuv420p")
        for number in range(6000):
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    used = []
    for frame in frames(path, unexpected):
        if frame.index in (2000, 5999):
            gc.collect()
            used.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)
    assert used[1] - used[0] < 20, "MB; all frames would be 230"


def test_a_reader_that_stops_early_leaves_nothing_open(tmp_path):
    write_video(tmp_path / "a.mp4")
    reading = frames(tmp_path / "a.mp4", unexpected)
    assert next(reading).index == 0
    reading.close()


def test_a_lost_frame_leaves_its_own_row_empty():
    clock = Clock(0.1, fps=10)
    for tick in (0, 4, 2, 1, 3, 5):
        clock.demuxed(tick)
    assert [clock.shown(tick) for tick in (0, 1, 3)] == [(0, 0.0), (1, 0.1), (3, pytest.approx(0.3))]
    assert clock.shown(1) is None
    assert clock.pending == 2


def test_the_clock_forgets_and_still_counts():
    clock = Clock(0.1, fps=10)
    for tick in range(10_000):
        clock.demuxed(3 * tick)
        assert clock.shown(3 * tick) == (tick, 3 * tick * 0.1)
    assert len(clock._ticks) < 4000


def test_two_frames_of_one_stamp_are_two_rows():
    clock = Clock(1.0, fps=1)
    for tick in (0, 5, 5, 6):
        clock.demuxed(tick)
    assert [clock.shown(tick)[0] for tick in (0, 5, 5, 6)] == [0, 1, 2, 3]


def test_times_find_their_rows():
    times = np.array([0.0, 0.1, 0.2, 1.0])
    np.testing.assert_array_equal(
        rows_at(times, np.array([-1, 0.04, 0.05, 0.55, 0.65, 9])), [0, 0, 1, 2, 3, 3]
    )


@pytest.mark.skipif(not REAL.exists(), reason="real clips are not here")
@pytest.mark.parametrize(("name", "size"), [("single_face.mp4", (360, 640)), ("no_face.mp4", (540, 960))])
def test_real_clips(name, size):
    shown, problems = read(REAL / name)
    assert not problems
    np.testing.assert_array_equal([frame.time_s for frame in shown], probe(REAL / name).times_s)
    assert shown[0].image.shape[:2] == size
