"""How long work tells how far it is, without knowing who listens."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class OnProgress(Protocol):
    """Called again and again; `total` is None while it is not known, `note` is anything worth a glance."""

    def __call__(self, stage: str, done: int, total: int | None, note: str = "") -> None: ...


def silent(stage: str, done: int, total: int | None, note: str = "") -> None:
    """Nobody listens."""
