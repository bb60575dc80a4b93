"""The extraction job: what is missing is made, once, and what was skipped is told."""

import collections
import dataclasses
import time
from typing import Any

import jax
from ml_collections import ConfigDict

from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.extract import faces, pixels, voices
from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.deal import deal
from abaw_jax.extract.device import Device
from abaw_jax.extract.memory import large_arrays_given_back
from abaw_jax.extract.meter import Meter
from abaw_jax.extract.plan import Plan, Source, make_plan
from abaw_jax.extract.streams import Stream, open_streams
from abaw_jax.faces.crops import CropSettings
from abaw_jax.faces.detection import make_detector
from abaw_jax.problems import Problem
from abaw_jax.progress import OnProgress, silent

CROP_REVISION = 1
"""Bumped by hand when the same detector and settings would cut other crops from a video."""
SOUND_AHEAD = 8
"""Chunks prepared and not yet taken: thirty seconds of sound are two megabytes."""
AHEAD_BATCHES = 2


@dataclasses.dataclass
class Summary:
    """How it went."""

    made: dict[str, int]
    kept: dict[str, int]
    vectors: dict[str, int]
    problems: list[Problem]
    seconds: float
    busy_share: float

    def by_kind(self) -> dict[str, int]:
        """How many of what."""
        return dict(collections.Counter(problem.kind for problem in self.problems))


@dataclasses.dataclass
class Job:
    """One process's share: streams opened, and what each of them lacks."""

    corpus: Corpus
    config: ConfigDict
    streams: list[Stream]
    source: Source
    plan: Plan
    on_progress: OnProgress = silent
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def run(self) -> Summary:
        """Make everything that is lacking."""
        began = time.monotonic()
        device = Device()
        batchers = {s.name: self._batcher(s, device) for s in self.streams if self.plan.wanted[s.name]}
        try:
            with large_arrays_given_back():
                self._see(batchers, device)
                self._hear(batchers, device)
        finally:
            device.close()
            for stream in self.streams:
                stream.abandon()
        vectors = {s.name: sum(_vectors(s, t) for t in self.plan.wanted[s.name]) for s in self.streams}
        made = {name: len(tracks) for name, tracks in self.plan.wanted.items()}
        problems = list(dict.fromkeys(self.problems))
        seconds = time.monotonic() - began
        return Summary(made, self.plan.kept, vectors, problems, seconds, device.busy_share)

    def images(self) -> int:
        """Crops that have to be looked at."""
        return sum(
            len(faces.used_rows(track, streams, found.rows))
            for track, streams in self.plan.pairs(self.streams, "face")
            if (found := faces.crops_of(self.corpus, track, self.source.images)) is not None
        )

    def frames(self) -> int:
        """Frames that have to be searched for faces, once for each video; as the containers announce them."""
        pairs = self.plan.pairs(self.streams, "face")
        return sum({track.video: track.facts.frames for track, _ in pairs if track.facts}.values())

    def sound_seconds(self) -> int:
        """Seconds of sound to be heard, once for each stream; as the containers announce them."""
        once = {
            (stream.name, track.video): track.facts.duration_s
            for track, streams in self.plan.pairs(self.streams, "audio")
            for stream in streams
            if track.facts is not None
        }
        return round(sum(once.values()))

    def _batcher(self, stream: Stream, device: Device) -> Batcher:
        size = {"face": "batch_size", "audio": "audio_batch_size"}[stream.modality]
        return Batcher(stream.encoder, device, self.config.extract[size])

    def _see(self, batchers: dict[str, Batcher], device: Device) -> None:
        wanted, config = self.plan.pairs(self.streams, "face"), self.config.extract
        if not wanted:
            return
        if self.source.kind == "crops":
            total = self.images()
            steps = faces.crop_steps(self.corpus, wanted, batchers, self.source.images)
        else:
            total = sum(track.rows for track, _ in wanted)
            detector = make_detector(config.detector)
            settings = CropSettings(detect_every=config.detect_every)
            searched = Meter("searching", "frames", self.frames(), device, self.on_progress)
            steps = faces.video_steps(
                self.corpus, wanted, batchers, detector, settings, searched, self.problems.append
            )
        meter = Meter("faces", "rows", total, device, self.on_progress)
        ahead = AHEAD_BATCHES * config.batch_size
        pixels.encode(steps, config.threads, ahead, meter, self.problems.append)
        _flush(batchers)

    def _hear(self, batchers: dict[str, Batcher], device: Device) -> None:
        wanted = self.plan.pairs(self.streams, "audio")
        if not wanted:
            return
        steps = voices.voice_steps(self.corpus, wanted, batchers, self.problems.append)
        meter = Meter("voices", "s of sound", self.sound_seconds(), device, self.on_progress)
        voices.encode(steps, self.config.extract.threads, SOUND_AHEAD, meter)
        _flush(batchers)


def make_job(corpus: Corpus, config: ConfigDict, on_progress: OnProgress = silent) -> Job:
    """Load the encoders, and see what each stream lacks of this process's share of the tracks."""
    source, identity = source_of(config.extract)
    streams = open_streams(config, identity)
    tracks = chosen_tracks(corpus, tuple(config.extract.tracks))
    plan = make_plan(corpus, tracks, streams, source, on_progress)
    return Job(corpus, config, streams, source, plan, on_progress)


def source_of(config: ConfigDict) -> tuple[Source, dict[str, Any]]:
    """Whose pixels, and what of that shows in the features."""
    source = Source(config.source, config.images)
    if source.kind == "crops":
        return source, {"kind": "crops", "images": config.images or "preferred"}
    detector = make_detector(config.detector)
    found = dataclasses.asdict(detector) if dataclasses.is_dataclass(detector) else {}
    return source, {
        "kind": "videos",
        "revision": CROP_REVISION,
        "detector": config.detector,
        "detect_every": config.detect_every,
        "settings": {key: str(value) for key, value in found.items()},
    }


def chosen_tracks(corpus: Corpus, names: tuple[str, ...]) -> list[Track]:
    """The share of one process in those named, or in all; an unknown name is an error."""
    unknown = sorted(set(names) - set(corpus.tracks))
    if unknown:
        raise ValueError(f"extract.tracks: {corpus.root} has no track {unknown[0]!r}")
    wanted = [corpus.tracks[name] for name in names] if names else list(corpus.tracks.values())
    return deal(wanted, jax.process_count())[jax.process_index()]


def _vectors(stream: Stream, track: Track) -> int:
    return stream.features.manifest(track.name)["vectors"]


def _flush(batchers: dict[str, Batcher]) -> None:
    for batcher in batchers.values():
        batcher.flush()
