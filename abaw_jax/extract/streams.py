"""What a config asks to have extracted: for each stream an encoder, a grid and a place in the store."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from abaw_jax.encoders.encoder import Encoder
from abaw_jax.encoders.load import SIGNALS, load
from abaw_jax.problems import one_of
from abaw_jax.store.features import Features, Store
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.store.writer import TrackWriter

ALIGN = ("native", "mean", "chunk")
"""Sound: on the encoder's own clock; the mean around each row; one chunk a row."""


@dataclasses.dataclass(frozen=True)
class Stream:
    """One kind of features on its way into the store."""

    name: str
    encoder: Encoder
    spec: FeatureSpec
    features: Features
    align: str = "native"
    window_s: float = 0.0

    begun: list[TrackWriter] = dataclasses.field(default_factory=list)
    """Writers that are open, to be abandoned if the job stops."""

    @property
    def modality(self) -> str:
        return self.encoder.modality

    def writer(self, track: str, vectors: int) -> TrackWriter:
        """Begin a track."""
        self.begun[:] = [writer for writer in self.begun if not writer.is_closed]
        self.begun.append(self.features.writer(track, vectors))
        return self.begun[-1]

    def abandon(self) -> None:
        """Leave nothing behind of tracks that are not whole."""
        for writer in self.begun:
            if not writer.is_closed:
                writer.abandon()


def face_stream(name: str, config: ConfigDict, source: Mapping[str, Any], options: dict) -> tuple:
    """(encoder, spec) of a stream of faces; `source` says whose crops."""
    options = {} if config.encoder in SIGNALS else options
    encoder = load(config.encoder, view=config.view, region=config.region, **options)
    if encoder.modality != "face":
        raise ValueError(f"{name}.encoder: {config['encoder']} hears or reads; expected an encoder of faces")
    grid = Grid("rows", sample_hz=config.sample_hz)
    return encoder, grid, dict(encoder.identity) | {"source": dict(source)}


def audio_stream(name: str, config: ConfigDict, options: dict) -> tuple:
    """(encoder, grid, identity) of a stream of sound."""
    one_of(f"{name}.align", config.align, ALIGN)
    chunks = {key: config[key] for key in ("view", "chunk_s", "hop_s", "is_causal")}
    options = {} if config.encoder in SIGNALS else options
    encoder = load(config.encoder, **chunks, **options)
    if encoder.modality != "audio":
        raise ValueError(f"{name}.encoder: {config['encoder']} sees or reads; expected an encoder of sound")
    identity = dict(encoder.identity) | {"hearing": dataclasses.asdict(encoder.hearing)}
    if config.align == "native":
        return (
            encoder,
            Grid("native", rate_hz=encoder.hearing.rate_hz, start_s=encoder.hearing.start_s),
            identity,
        )
    window = {"window_s": config.window_s} if config.align == "mean" else {}
    return encoder, Grid("rows"), identity | {"align": config.align} | window


def open_streams(config: ConfigDict, source: Mapping[str, Any]) -> list[Stream]:
    """Every stream that `config.streams` names, its weights loaded and its folder made."""
    store = Store(config.store.root)
    options = {"dtype": config.extract.dtype}
    streams = []
    for name in config.streams:
        if name not in config:
            raise ValueError(f"streams names {name!r}, and the config has no such part")
        entry = config[name]
        if entry.modality == "face":
            encoder, grid, identity = face_stream(name, entry, source, options)
        elif entry.modality == "audio":
            encoder, grid, identity = audio_stream(name, entry, options)
        else:
            raise ValueError(f"{name}.modality: found {entry['modality']!r}, expected face or audio")
        spec = FeatureSpec(encoder.name, encoder.shape, grid, identity, config.store.dtype)
        features = store.create(spec)
        more = {"align": entry.align, "window_s": entry.window_s} if entry.modality == "audio" else {}
        streams.append(Stream(name, encoder, spec, features, **more))
    return streams
