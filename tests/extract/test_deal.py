"""Who gets which track: everybody agrees, nobody cuts a video in two, and the load is even."""

import pytest

from abaw_jax.corpus.tracks import Track
from abaw_jax.extract.deal import deal


def track(name: str, rows: int) -> Track:
    return Track(name, rows, {}, {}, {})


TRACKS = [track(f"video{i}", 50 * i + 10) for i in range(1, 20)] + [
    track("5_left", 700),
    track("5_right", 700),
]


@pytest.mark.parametrize("processes", [1, 2, 3, 8, 40])
def test_every_track_is_dealt_once(processes: int):
    dealt = deal(TRACKS, processes)
    assert len(dealt) == processes
    assert sorted(t.name for share in dealt for t in share) == sorted(t.name for t in TRACKS)
    assert [[t.name for t in share] for share in deal(TRACKS[::-1], processes)] == [
        [t.name for t in share] for share in dealt
    ]


def test_both_subjects_of_a_video_go_to_one_process_and_rows_are_even():
    dealt = deal(TRACKS, 2)
    where = {t.name: number for number, share in enumerate(dealt) for t in share}
    assert where["5_left"] == where["5_right"]
    loads = [sum(t.rows for t in share) for share in dealt]
    assert max(loads) - min(loads) < 100
