"""What is still to be done: which tracks each stream lacks, or has from something that has changed since."""

import dataclasses
from typing import Any

from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.extract import faces, voices
from abaw_jax.extract.sources import crops_of
from abaw_jax.extract.streams import Stream
from abaw_jax.progress import OnProgress
from abaw_jax.store.features import StaleFeatures
from abaw_jax.store.writer import write_json


@dataclasses.dataclass(frozen=True)
class Source:
    """Where pixels come from."""

    kind: str = "crops"
    images: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("crops", "videos"):
            raise ValueError(f"extract.source: found {self.kind!r}, expected crops or videos")


@dataclasses.dataclass
class Plan:
    """For each stream the tracks that it wants, and those that it has already."""

    wanted: dict[str, list[Track]]
    kept: dict[str, int]
    stale: dict[str, str]
    """Track ▶ why what is stored of it is not used."""

    def pairs(self, streams: list[Stream], modality: str) -> list[tuple[Track, list[Stream]]]:
        """Tracks in their order, each with the streams of a modality that lack it."""
        asked: dict[str, tuple[Track, list[Stream]]] = {}
        for stream in streams:
            if stream.modality == modality:
                for track in self.wanted[stream.name]:
                    asked.setdefault(track.name, (track, []))[1].append(stream)
        return sorted(asked.values(), key=lambda pair: (pair[0].video, pair[0].name))


def make_plan(
    corpus: Corpus, tracks: list[Track], streams: list[Stream], source: Source, on_progress: OnProgress
) -> Plan:
    """Look at every track of every stream; where only times of files have changed, at their bytes too."""
    plan = Plan({stream.name: [] for stream in streams}, {stream.name: 0 for stream in streams}, {})
    total = len(tracks) * len(streams)
    for number, (stream, track) in enumerate(((s, t) for s in streams for t in tracks), start=1):
        why = _lacking(corpus, track, stream, source)
        if why is None:
            plan.kept[stream.name] += 1
        else:
            plan.wanted[stream.name].append(track)
            if why != "not stored":
                plan.stale[f"{stream.name}/{track.name}"] = why
        on_progress("looking", number, total)
    return plan


def _lacking(corpus: Corpus, track: Track, stream: Stream, source: Source) -> str | None:
    """Why a track is to be made; None if what is stored stands."""
    try:
        manifest = stream.features.manifest(track.name)
    except StaleFeatures as error:
        return str(error)
    if manifest is None:
        return "not stored"
    if not (stream.features.path / f"{track.name}.npy").exists():
        return "its vectors are gone"
    made_from = made_from_of(corpus, track, stream, source)
    stored = manifest["made_from"]
    if stored.get("stamp") == made_from.get("stamp"):
        # sizes and times are those of then: so are the bytes
        made_from = made_from | ({"content": stored["content"]} if "content" in stored else {})
        return stream.features.difference(track.name, made_from)
    made_from = made_from | {"content": _content(corpus, track, stream, source)}
    why = stream.features.difference(track.name, made_from)
    if why is None:
        write_json(stream.features.path / f"{track.name}.json", manifest | {"made_from": made_from})
    return why


def made_from_of(corpus: Corpus, track: Track, stream: Stream, source: Source) -> dict[str, Any]:
    """What the features of a track would be made from today, but for the bytes, which are not read."""
    if stream.modality == "audio":
        return voices.sound_made_from(corpus, track, stream, digest=False)
    if source.kind == "videos":
        return faces.video_made_from(corpus, track, digest=False)
    return faces.crops_made_from(corpus, track, stream, source.images)


def _content(corpus: Corpus, track: Track, stream: Stream, source: Source) -> str:
    """Today's bytes."""
    if stream.modality == "audio":
        made_from = voices.sound_made_from(corpus, track, stream)
    elif source.kind == "videos":
        made_from = faces.video_made_from(corpus, track)
    else:
        found = crops_of(corpus, track, source.images)
        rows = faces.used_rows(track, [stream], found.rows) if found else []
        made_from = {"content": found.content(rows)} if found else {}
    return made_from.get("content", "nothing")
