"""How long work tells how far it is, without knowing who listens."""

from collections.abc import Callable

OnProgress = Callable[[str, int, int | None], None]
"""(stage, done, total); total is None while it is not known."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Nobody listens."""
