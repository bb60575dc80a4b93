"""What the vectors of a folder are: their shape, their places in time, and everything that made them."""

import dataclasses
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from jaxtyping import Float, Int

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}
STORED_AS = {"float16": np.float16, "bfloat16": np.uint16, "float32": np.float32}
"""The .npy format knows no bfloat16: its bits are kept as uint16."""
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where in time vectors stand: at rows of the track, at some of its rows, or on a clock of their own."""

    kind: str = "rows"
    sample_hz: float | None = None
    """Of rows: keep so many a second; None keeps all."""
    rate_hz: float | None = None
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("rows", "native"):
            raise ValueError(f"no grid {self.kind!r}; expected rows or native")
        if (self.kind == "native") != (self.rate_hz is not None):
            raise ValueError("a native grid has its rate_hz, and rows have the track's")
        for rate in (self.sample_hz, self.rate_hz):
            if rate is not None and not 0 < rate < math.inf:
                raise ValueError(f"found {rate} vectors a second, expected more than 0")

    def rows(self, rows: int, fps: float | None) -> Int[np.ndarray, " n"]:
        """The rows (counting from 1) that have a vector, of a track with `rows` at `fps`."""
        if self.kind != "rows":
            raise ValueError("a native grid has no rows")
        if self.sample_hz is None or (fps is not None and self.sample_hz >= fps):
            return np.arange(1, rows + 1)
        if fps is None:
            raise ValueError(f"{self.sample_hz:g} vectors a second need the track's rate, and it has none")
        count = math.ceil(rows * self.sample_hz / fps)
        return np.minimum(1 + np.floor(np.arange(count) * (fps / self.sample_hz)).astype(np.int64), rows)

    def times_s(self, vectors: int) -> Float[np.ndarray, " n"]:
        """When the vectors of a native grid are, in seconds of the container."""
        if self.rate_hz is None:
            raise ValueError("rows take their times from the track")
        return self.start_s + np.arange(vectors) / self.rate_hz


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One kind of features. Two specs are the same features exactly if their fingerprints are equal."""

    name: str
    """The encoder's, for people; the fingerprint is what counts."""
    shape: tuple[int, ...]
    grid: Grid
    identity: Mapping[str, Any]
    """Weights, preprocessing, view, revision: JSON."""
    dtype: str = "float16"

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.dtype not in DTYPES:
            raise ValueError(f"no dtype {self.dtype!r} for features; expected one of: {', '.join(DTYPES)}")

    def as_dict(self) -> dict[str, Any]:
        """What `spec.json` holds."""
        return json.loads(json.dumps(dataclasses.asdict(self) | {"identity": dict(self.identity)}))

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> "FeatureSpec":
        """The inverse of `as_dict`."""
        grid = Grid(**entries["grid"])
        return cls(entries["name"], tuple(entries["shape"]), grid, entries["identity"], entries["dtype"])

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of everything but the name."""
        entries = {key: value for key, value in self.as_dict().items() if key != "name"}
        return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def folder(self) -> str:
        """Below the store's root."""
        return f"{self.name}-{self.fingerprint}"

    @property
    def bytes_a_vector(self) -> int:
        return math.prod(self.shape) * np.dtype(STORED_AS[self.dtype]).itemsize


def check_name(name: str) -> str:
    """A name that may stand in a path: names come from files and are not trusted."""
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(f"found the name {name!r}, expected letters, digits, dots, dashes and underscores")
    return name


def differences(found: Any, expected: Any, place: str = "") -> Iterator[str]:
    """What differs between two JSON values, a line each: `weights: found …, expected …`."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(found.keys() | expected.keys()):
            inside = f"{place}.{key}" if place else str(key)
            yield from differences(found.get(key, "nothing"), expected.get(key, "nothing"), inside)
    elif found != expected:
        yield f"{place}: found {_short(found)}, expected {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, str) else value
    return text if len(text) <= 40 else f"{text[:16]}…{text[-8:]}"
