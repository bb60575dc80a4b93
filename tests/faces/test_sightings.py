"""A video's sightings read back as they were, and their file is gone afterwards."""

import numpy as np
import pytest

from abaw_jax.faces.detection import Faces
from abaw_jax.faces.follow import Sighting
from abaw_jax.faces.sightings import Sightings


def sighting(number: int, faces: int) -> Sighting:
    rng = np.random.default_rng(number)
    found = Faces(rng.random((faces, 4)), rng.random(faces), rng.random((faces, 5, 2)))
    return Sighting(2 * number, number / 25, number // 3, 640, number % 2 == 0, found, np.arange(faces))


def test_they_read_like_a_list():
    wanted = [sighting(number, number % 3) for number in range(10)]
    with Sightings() as found:
        found.extend(iter(wanted))
        assert len(found) == 10
        for ours, theirs in zip(found, wanted, strict=True):
            for name in ("index", "time_s", "shot", "width_px", "was_searched"):
                assert getattr(ours, name) == getattr(theirs, name)
            np.testing.assert_array_equal(ours.faces.boxes, theirs.faces.boxes)
            np.testing.assert_array_equal(ours.faces.scores, theirs.faces.scores)
            np.testing.assert_array_equal(ours.faces.landmarks, theirs.faces.landmarks)
            np.testing.assert_array_equal(ours.ids, theirs.ids)
        assert found[-1].index == wanted[-1].index
        with pytest.raises(IndexError):
            found[10]


def test_none_at_all():
    with Sightings() as found:
        found.extend([])
        assert len(found) == 0
        assert list(found) == []
