"""Reading: a folder of features opened by its spec, tracks mapped into memory, and what is stale refused."""

import dataclasses
import json
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from abaw_jax.store.spec import DTYPES, STORED_AS, FeatureSpec, check_name, differences
from abaw_jax.store.writer import TrackWriter, write_json

SPEC_FILE = "spec.json"
VOLATILE = ("stamp",)
"""Entries of `made_from` that only save a second look: times of files, not what is in them."""


class StaleFeatures(ValueError):
    """Features of something else than what was asked for: other weights, other settings, other pixels."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """The vectors of one track, mapped; zeros where `present` is False."""

    values: np.ndarray
    present: Bool[np.ndarray, " n"]
    manifest: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.present)


@dataclasses.dataclass(frozen=True)
class Features:
    """One folder of a store."""

    path: Path
    spec: FeatureSpec

    def tracks(self) -> tuple[str, ...]:
        """Those that are whole: their manifests are there."""
        names = (path.stem for path in self.path.glob("*.json") if path.name != SPEC_FILE)
        return tuple(sorted(name for name in names if not name.startswith(".")))

    def manifest(self, track: str) -> dict[str, Any] | None:
        """What a track was made from; None if it is not there."""
        path = self.path / f"{check_name(track)}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StaleFeatures(
                f"{path}: not JSON ({error}); delete it, and the track is made again"
            ) from error

    def difference(self, track: str, made_from: Mapping[str, Any]) -> str | None:
        """Why the stored track is not one made from this; None if it is."""
        manifest = self.manifest(track)
        if manifest is None:
            return "not stored"
        stored, wanted = (
            {k: v for k, v in entries.items() if k not in VOLATILE}
            for entries in (manifest["made_from"], made_from)
        )
        return "; ".join(differences(stored, json.loads(json.dumps(wanted)))) or None

    def read(self, track: str, made_from: Mapping[str, Any] | None = None) -> Feature:
        """The vectors of a track; refused if they were made from something else than `made_from`."""
        manifest = self.manifest(track)
        if manifest is None:
            raise KeyError(f"{self.path} has no features of {track!r}")
        if made_from is not None and (why := self.difference(track, made_from)):
            raise StaleFeatures(f"{self.path / track}.npy was made from something else: {why}")
        return Feature(self._map(track, manifest["vectors"]), _mask(manifest), manifest)

    def _map(self, track: str, vectors: int) -> np.ndarray:
        path = self.path / f"{track}.npy"
        shape = (vectors, *self.spec.shape)
        try:
            # an empty file cannot be mapped
            values = np.load(path, mmap_mode="r" if vectors else None, allow_pickle=False)
        except (OSError, ValueError, tokenize.TokenError) as error:
            raise StaleFeatures(f"{path}: unreadable ({error}); delete it, and it is made again") from error
        if values.shape != shape or values.dtype != STORED_AS[self.spec.dtype]:
            found = f"{values.dtype} {values.shape}"
            raise StaleFeatures(
                f"{path}: found {found}, expected {STORED_AS[self.spec.dtype].__name__} {shape}"
            )
        return values.view(DTYPES[self.spec.dtype])

    def verify(self, track: str) -> None:
        """Read every byte and compare with what was written."""
        from hashlib import sha256

        path = self.path / f"{check_name(track)}.npy"
        found, expected = sha256(path.read_bytes()).hexdigest(), self.read(track).manifest["sha256"]
        if found != expected:
            raise StaleFeatures(
                f"{path}: found sha256 {found[:12]}…, expected {expected[:12]}…: bytes changed"
            )

    def writer(self, track: str, vectors: int) -> TrackWriter:
        """To write a track anew; leftovers of killed writers go."""
        for leftover in self.path.glob(f".{check_name(track)}.*.tmp"):
            leftover.unlink(missing_ok=True)
        return TrackWriter(self.path, self.spec, track, vectors)


def _mask(manifest: Mapping[str, Any]) -> np.ndarray:
    present = np.zeros(manifest["vectors"], bool)
    for first, last in manifest["present"]:
        present[first:last] = True
    return present


class Store:
    """All folders below one root."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def create(self, spec: FeatureSpec) -> Features:
        """The folder of a spec, made if it is not there; what killed makers of it left goes."""
        path = self.root / spec.folder
        path.mkdir(parents=True, exist_ok=True)
        if not (path / SPEC_FILE).exists():
            try:
                write_json(path / SPEC_FILE, spec.as_dict())
            except FileNotFoundError:
                if not (path / SPEC_FILE).exists():  # else another process put it there and cleared up
                    raise
        for leftover in path.glob(f".{SPEC_FILE}.*.tmp"):
            leftover.unlink(missing_ok=True)
        return Features(path, spec)

    def open(self, spec: FeatureSpec) -> Features:
        """The folder of a spec; if there are only other features of that encoder, what differs is said."""
        path = self.root / spec.folder
        if (path / SPEC_FILE).exists():
            return Features(path, spec)
        others = [found for found in self.folders() if found.spec.name == spec.name]
        if not others:
            raise FileNotFoundError(f"{self.root} has no features of {spec.name}; extract them first")
        wanted = spec.as_dict()
        lines = [f"{o.path.name}: {'; '.join(differences(o.spec.as_dict(), wanted))}" for o in others]
        raise StaleFeatures(f"{self.root} has no such features of {spec.name}. There: " + " | ".join(lines))

    def folders(self) -> Iterator[Features]:
        """Every folder with a readable spec."""
        for path in sorted(self.root.glob(f"*/{SPEC_FILE}")):
            try:
                yield Features(path.parent, FeatureSpec.from_dict(json.loads(path.read_text())))
            except (ValueError, KeyError, TypeError):
                continue
