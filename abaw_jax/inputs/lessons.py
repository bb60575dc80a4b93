"""Arrays to learn from, one entry a lesson: what an encoder is trained on."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from abaw_jax.types import Batch

LEARNS = {"contrast": "clip", "prosody": "whisper"}
"""Task ▶ which kind of encoder it trains."""


def check_learner(task: str, kind: str | None) -> None:
    """Each task trains one kind of encoder."""
    if kind != LEARNS[task]:
        raise ValueError(f"model.name: found a {kind}, expected a {LEARNS[task]} for task {task}")


@dataclasses.dataclass(frozen=True, eq=False)
class Lessons:
    """Its own plan: window k is lesson k."""

    arrays: Mapping[str, np.ndarray]
    tracks: tuple[str, ...] = ("lessons",)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def read(self, plan: "Lessons", windows: Int[np.ndarray, " k"]) -> Batch:
        """These lessons, in this order."""
        batch = {name: values[windows] for name, values in self.arrays.items()}
        return batch | {"track": np.zeros(len(windows), np.int32), "row": windows[:, None].astype(np.int32)}
