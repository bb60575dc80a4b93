"""What a person sees while a command works: a bar on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from abaw_jax.progress import OnProgress

PLAIN_EVERY_S = 2.0


@contextlib.contextmanager
def progress(prefix: str) -> Iterator[OnProgress]:
    """A function (stage, done, total) that shows how far each stage is, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(prefix)
        return
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _plain(prefix: str) -> OnProgress:
    shown_at = time.monotonic()

    def show(stage: str, done: int, total: int | None) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at >= PLAIN_EVERY_S:
            shown_at = now
            of_all = f" of {total}" if total else ""
            print(f"{prefix}: {stage} {done}{of_all}", file=sys.stderr, flush=True)

    return show
