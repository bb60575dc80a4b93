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
    """A function (stage, done, total, note) that shows how far each stage is, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(prefix)
        return
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note=note)
            bars.update(tasks[stage], completed=done, total=total, note=note)

        yield show


def _plain(prefix: str) -> OnProgress:
    began: dict[str, tuple[float, int]] = {}
    shown_at = time.monotonic()

    def show(stage: str, done: int, total: int | None, note: str = "") -> None:
        nonlocal shown_at
        now = time.monotonic()
        start, first = began.setdefault(stage, (now, done))
        if now - shown_at < PLAIN_EVERY_S:
            return
        shown_at = now
        parts = [f"{stage} {done}{f' of {total}' if total else ''}", note]
        if total and done > first and note:  # what was there before the first word took no time
            parts.append(f"{(now - start) / (done - first) * (total - done):.0f} s left")
        print(f"{prefix}: {', '.join(filter(None, parts))}", file=sys.stderr, flush=True)

    return show


def bytes_text(size: float) -> str:
    """A size as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration_text(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
