"""Memory does not grow with a video's length: twenty minutes, seen and heard, in a process of its own."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.stats import theilslopes

from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan, make

pytestmark = pytest.mark.full

MINUTES = 20
FPS = 10.0
BLOCKS = 24
FLOOR = 0.05
LOOK_EVERY_S = 0.02
MOST_BYTES = 2e9
RESOLUTION = 50e3
"""Bytes a minute of video, over twenty minutes less than two thousandths of what is resident: pages of small
objects come and go by so much from run to run. One frame kept a second would be eight hundred times that."""
LOOKS = 3
PROGRAM = """
import sys, time
from pathlib import Path
from abaw_jax.corpus.cache import open_corpus
from abaw_jax.defaults import get_config
from abaw_jax.extract.job import make_job

root, store, stream, encoder = sys.argv[1:]
config = get_config()
config.streams = (stream,)
config[stream].encoder = encoder
config.store.root = store
config.extract.source = "videos"
config.extract.detect_every = 3
config.audio.hop_s = 0.1  # as many chunks as there are frames: a minute's work, not a second's

def tell(stage, done, total, note=""):
    print(stage, done, total, time.time(), flush=True)

summary = make_job(open_corpus(root, cache_dir=Path(store)), config, tell).run()
print("vectors", sum(summary.vectors.values()), 0, time.time())
"""


@pytest.fixture(scope="module")
def long_root(tmp_path_factory) -> Path:
    """A quarter of a minute of a face that speaks, again and again."""
    root, times = tmp_path_factory.mktemp("long") / "corpus", 4 * MINUTES
    size = Size(train=1, validation=0, test=0, seconds=15.0, fps=FPS)
    make(Plan(root, size, with_crops=False, with_videos=True))
    shutil.rmtree(root / "sounds")  # the video has its own
    (video,) = root.rglob("*.mp4")
    repeat(video, times)
    for labels in root.rglob("Train_Set/*.txt"):
        header, *rows = labels.read_text().splitlines()
        labels.write_text("\n".join([header, *rows * times, ""]))
    return root


def repeat(path: Path, times: int) -> None:
    """The same packets again and again, later each time."""
    with av.open(str(path)) as source:
        streams = source.streams.video[0], source.streams.audio[0]
        packets = [packet for packet in source.demux(*streams) if packet.dts is not None]
        length_s = max(float((p.pts + p.duration) * p.time_base) for p in packets)
        with av.open(str(path.with_suffix(".long.mp4")), "w") as target:
            copies = {stream.index: target.add_stream_from_template(stream) for stream in streams}
            for number in range(times):
                for packet in packets:
                    if number and packet.pts < 0:  # a coder's run-up, which only the first needs
                        continue
                    later = av.Packet(bytes(packet))  # muxing turns the original's times into the target's
                    shift = round(number * length_s / packet.time_base)
                    later.pts, later.dts = packet.pts + shift, packet.dts + shift
                    later.time_base, later.duration = packet.time_base, packet.duration
                    later.is_keyframe, later.stream = packet.is_keyframe, copies[packet.stream.index]
                    target.mux(later)
    path.with_suffix(".long.mp4").replace(path)


@pytest.mark.parametrize(("stream", "stages"), [("video", ("searching", "faces")), ("audio", ("voices",))])
def test_memory_is_flat_over_twenty_minutes(
    stream: str, stages: tuple[str, ...], long_root: Path, encoders, tmp_path: Path
):
    encoder = encoders["clip" if stream == "video" else "whisper"]
    is_open = set(stages)
    for look in range(LOOKS):  # beside other work an interval may be too wide to tell
        store = tmp_path / f"store{look}"
        line = [sys.executable, "-c", PROGRAM, str(long_root), str(store), stream, str(encoder)]
        told, resident = watched(line)
        assert told[-1][:2] == ["vectors", str(round(MINUTES * 60 * FPS))]
        peak = max(size for _, size in resident)
        print(f"{stream}: peak {peak / 1e6:.0f} MB")
        assert peak < MOST_BYTES
        for stage in stages:
            slope, low, high = slope_of(resident, *minutes_of(told, stage))
            print(f"{stage}: {slope / 1e3:.1f} kB a minute of video ({low / 1e3:.1f} to {high / 1e3:.1f})")
            assert low < RESOLUTION, stage
            is_open -= {stage} if low <= 0 or high < RESOLUTION else set()
        if not is_open:
            return
    raise AssertionError(f"not told after {LOOKS} looks: {', '.join(is_open)}")


def watched(line: list[str]) -> tuple[list[list[str]], list[tuple[float, int]]]:
    """(what a process told, its resident bytes over time, looked at from outside)"""
    resident = []
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        statm = Path(f"/proc/{process.pid}/statm")

        def look() -> None:
            while process.poll() is None:
                pages = (statm.read_text().split() or ["0", "0"])[1]
                resident.append((time.time(), int(pages) * os.sysconf("SC_PAGE_SIZE")))
                time.sleep(LOOK_EVERY_S)

        thread = threading.Thread(target=look)
        thread.start()
        told = [text.split() for text in process.stdout]
        thread.join()
    assert process.returncode == 0
    return told, resident


def minutes_of(told: list[list[str]], stage: str) -> tuple[np.ndarray, np.ndarray]:
    """(times, minutes of video that a stage had done by then)"""
    marks = [(float(at), MINUTES * float(done) / float(total)) for s, done, total, at in told if s == stage]
    at, minutes = np.array(marks).T
    return at, minutes


def slope_of(
    resident: list[tuple[float, int]], at: np.ndarray, minutes: np.ndarray
) -> tuple[float, float, float]:
    """Bytes a minute of video after a stage's first minute, with an interval of 95 %.

    Of the floor: batches come and go, by 90 MB above it, and what is kept lifts it.
    """
    times, sizes = np.array(resident, float).T
    inside = (times >= at[np.searchsorted(minutes, 1.0)]) & (times <= at[-1])
    along, sizes = np.interp(times[inside], at, minutes), sizes[inside]
    blocks = [np.quantile(block, FLOOR) for block in np.array_split(sizes, BLOCKS)]
    middles = [np.median(block) for block in np.array_split(along, BLOCKS)]
    slope, _, low, high = theilslopes(blocks, middles, alpha=0.95)
    return float(slope), float(low), float(high)
