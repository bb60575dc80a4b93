"""Tracks dealt over processes by rows: both subjects of a video to the same one, which reads it once."""

from collections import defaultdict
from collections.abc import Iterable

from abaw_jax.corpus.tracks import Track


def deal(tracks: Iterable[Track], processes: int) -> list[list[Track]]:
    """For each process its tracks, in the order of their videos; the same on every process."""
    videos: dict[str, list[Track]] = defaultdict(list)
    for track in sorted(tracks, key=lambda track: track.name):
        videos[track.video].append(track)
    rows = {video: sum(track.rows for track in group) for video, group in videos.items()}
    load, dealt = [0] * processes, [[] for _ in range(processes)]
    for video in sorted(videos, key=lambda video: (-rows[video], video)):
        lightest = load.index(min(load))
        load[lightest] += rows[video]
        dealt[lightest].append(video)
    return [[track for video in sorted(names) for track in videos[video]] for names in dealt]
