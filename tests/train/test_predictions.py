"""From windows back to rows."""

import numpy as np
import pytest

from abaw_jax.train.predictions import Rows


@pytest.mark.parametrize(
    ("overlap", "wanted"),
    [("mean", [0, 0, 0.5, 1.5, 2]), ("first", [0, 0, 0, 1, 2]), ("last", [0, 0, 1, 2, 2])],
)
def test_rows_of_several_windows_are_brought_together(overlap: str, wanted: list[float]):
    rows = Rows([3, 6], 1, overlap)
    for window, at in enumerate(([0, 1, 2], [2, 3, -1], [3, 4, -1])):  # of the second track
        rows.add(np.array([1]), np.array([at]), np.full((1, 3, 1), float(window)))
    found = rows.values()[:, 0]
    assert found[3:8].tolist() == wanted
    assert np.isnan(found[[0, 1, 2, 8]]).all()  # nobody's
