"""Pixels and sound of the tracks of one video, written as the organisers distribute them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from abaw_jax.corpus.synthetic.affect import Affect
from abaw_jax.corpus.synthetic.cast import Part
from abaw_jax.corpus.synthetic.face import Identity, sample_identity
from abaw_jax.corpus.synthetic.perform import look_of, prosody_of
from abaw_jax.corpus.synthetic.render import render_crops, render_frames
from abaw_jax.corpus.synthetic.voice import sample_timbre, synthesise

SAMPLE_RATE_HZ = 16_000
JPEG_QUALITY = 90
MISSING_IMAGES = 0.015
"""Of the organisers' test frames, 1.5 % have no face image."""
FRAME_CHUNK = 64
CODECS = {".mp4": ("libx264", "aac"), ".avi": ("mpeg4", "pcm_s16le")}
"""Sound without a lead-in in AVI: its muxer would make room for one by empty frames."""


def identity_of(part: Part) -> Identity:
    """The subject of a track."""
    return sample_identity(part.rng("identity"))


def crops_of(part: Part, affect: Affect) -> np.ndarray:
    """One aligned face a row, uint8 [rows, 112, 112, 3]."""
    look = look_of(affect, part.fps, part.rng("look"))
    return render_crops(identity_of(part), look, part.rng("crops"))


def sound_of(parts: Sequence[Part], affects: Sequence[Affect], frames: int) -> np.ndarray:
    """The voices of all subjects of a video, mixed; as long as its frames."""
    samples = round(frames / parts[0].fps * SAMPLE_RATE_HZ)
    voices = [
        synthesise(
            sample_timbre(part.rng("timbre")), prosody_of(affect, part.fps), part.rng("voice"), samples
        )
        for part, affect in zip(parts, affects, strict=True)
    ]
    return np.clip(np.sum(voices, axis=0), -1, 1)


def write_crops(folder: Path, part: Part, crops: np.ndarray) -> None:
    """JPEG files named by row; 1.5 % of the rows have none."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = part.rng("missing").random(len(crops)) < MISSING_IMAGES
    for row, crop in enumerate(crops, start=1):
        if not missing[row - 1]:
            Image.fromarray(crop).save(folder / f"{row:05d}.jpg", quality=JPEG_QUALITY)


def write_sound(path: Path, sound: np.ndarray) -> None:
    """Mono 16 kHz PCM, as `ffmpeg -ac 1 -ar 16000` makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, SAMPLE_RATE_HZ, subtype="PCM_16")


def write_video(
    path: Path,
    parts: Sequence[Part],
    affects: Sequence[Affect],
    sound: np.ndarray | None,
    size: tuple[int, int],
) -> None:
    """Full frames with all subjects side by side, and the sound unless there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video_codec, sound_codec = CODECS[path.suffix]
    rate = Fraction(parts[0].fps).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video_codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on any number of cores
        track = (
            container.add_stream(sound_codec, rate=SAMPLE_RATE_HZ, layout="mono")
            if sound is not None
            else None
        )
        for number, image in enumerate(_frames(parts, affects, size)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            _encode_sound(container, track, sound)


def _encode_sound(container, track, sound: np.ndarray) -> None:
    if track.codec_context.format.name == "s16":
        frame = av.AudioFrame.from_ndarray(
            (sound * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
    else:
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.pts = 0
    container.mux(track.encode(frame))
    container.mux(track.encode())


def _frames(parts: Sequence[Part], affects: Sequence[Affect], size: tuple[int, int]):
    """Frames of the video, some at a time; past the last row its look stays."""
    width, height = size
    looks = [look_of(affect, part.fps, part.rng("look")) for part, affect in zip(parts, affects, strict=True)]
    rng = parts[0].rng("frames")
    state = rng.bit_generator.state
    places = [_place(part, i, len(parts), size) for i, part in enumerate(parts)]
    for first in range(0, parts[0].frames, FRAME_CHUNK):
        rng.bit_generator.state = state  # the same room behind every chunk
        at = np.arange(first, min(first + FRAME_CHUNK, parts[0].frames))
        subjects = [
            (identity_of(part), look[np.minimum(at, part.rows - 1)], np.tile(centre, (len(at), 1)),
             np.full(len(at), face_px))
            for part, look, (centre, face_px) in zip(parts, looks, places, strict=True)
        ]  # fmt: skip
        yield from render_frames(subjects, width, height, rng)


def _place(part: Part, index: int, count: int, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Where a subject sits: `_left` left of `_right`, the main one in between or on the free side."""
    width, height = size
    rng = part.rng("place")
    side = {"left": 0.28, "right": 0.72}.get(part.name.rpartition("_")[2])
    if side is None:
        side = 0.5 if count == 1 else 0.5 + 0.22 * (1 if index == 0 else -1)
    centre = np.array([side * width, (0.48 + rng.uniform(-0.04, 0.04)) * height])
    return centre, float(rng.uniform(0.42, 0.55) * height)
