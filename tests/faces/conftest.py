"""Frames with known faces: synthetic people in a room, and the public test media where they lie beside."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.affect import simulate
from abaw_jax.corpus.synthetic.face import sample_identity
from abaw_jax.corpus.synthetic.perform import look_of
from abaw_jax.corpus.synthetic.render import render_frames
from abaw_jax.faces.mtcnn import Mtcnn

MEDIA = Path(__file__).parents[2].parent / "shared" / "media"
SIZE = WIDTH, HEIGHT = 640, 360


@pytest.fixture(scope="session")
def detector() -> Mtcnn:
    return Mtcnn()


@pytest.fixture(scope="session")
def real():
    """Reads one of the public test files as frames [n, h, w, 3]."""

    def read(name: str) -> np.ndarray:
        path = MEDIA / name
        if not path.exists():
            pytest.skip(f"no {name} beside the repository")
        if path.suffix == ".jpg":
            return np.asarray(Image.open(path).convert("RGB"))[None]
        with av.open(str(path)) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

    return read


@pytest.fixture(scope="session")
def people():
    """(frames, landmarks [n, 5, 2]) of identities by number, unoccluded, within 30 degrees of the front."""

    def draw(identities: range, frames_each: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = [_draw(number, frames_each) for number in identities]
        return np.concatenate([f for f, _ in drawn]), np.concatenate([points for _, points in drawn])

    return draw


def _draw(number: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([26, number])
    identity = sample_identity(rng)
    affect = simulate(rng.permutation(8)[:3], tuple(rng.uniform(0, 6, 2).tolist()), np.arange(500) / 25, rng)
    look = look_of(affect, 25.0, rng)
    is_fair = (look.occlusion == 0) & (np.abs(look.yaw) <= 30)
    look = look[np.flatnonzero(is_fair)[np.linspace(0, is_fair.sum() - 1, count).astype(int)]]
    centres = np.tile((0.5 * WIDTH, 0.48 * HEIGHT), (count, 1)) + rng.normal(0, 20, (count, 2))
    heights = np.full(count, rng.uniform(0.42, 0.55) * HEIGHT)
    frames = render_frames([(identity, look, centres, heights)], WIDTH, HEIGHT, rng)
    a, b = geometry.place(look, centres, heights)
    points = a[:, None] * geometry.project(geometry.landmarks(identity), look) + b[:, None]
    return frames, np.stack([points.real, points.imag], axis=2)
