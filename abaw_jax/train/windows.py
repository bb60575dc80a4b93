"""From config to `WindowSpec`: which rows a window predicts, and what of every stream it sees."""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict

from abaw_jax.inputs.windows import Native, Present, Reach, Rows, Seconds, WindowSpec
from abaw_jax.problems import one_of
from abaw_jax.store.spec import Grid

TARGETS = ("all", "last", "middle")
REACHES = ("rows", "spread", "present", "native")


def window_spec(config: ConfigDict, grids: Mapping[str, Grid]) -> WindowSpec:
    """What the config says of windows; `grids` are those of the streams."""
    w = config.window
    one_of("window.targets", w.targets, TARGETS)
    if w.rows < 1:
        raise ValueError(f"window.rows: found {w.rows}, expected 1 or more")
    # Where the window begins, counted from its anchor: the first row of all, else the one that is predicted.
    first = {"all": 0, "last": 1 - w.rows, "middle": -(w.rows // 2)}[w.targets]
    rows = Rows.span(first, first + w.rows)
    reaches = {name: _reach(name, config, grids[name], rows) for name in config.streams}
    targets = tuple(range(w.rows)) if w.targets == "all" else (0,)
    return WindowSpec(targets, reaches, w.stride, w.eval_stride, w.learn_from_s, w.edge, w.overlap)


def _reach(name: str, config: ConfigDict, grid: Grid, rows: Rows) -> Reach:
    stream = config[name]
    if (one_of(f"{name}.reach", stream.reach, REACHES) == "native") != (grid.kind == "native"):
        raise ValueError(
            f"{name}.reach: found {stream.reach!r} of a stream {_clock(grid)}; "
            "expected native for those on a clock of their own, and for no other"
        )
    if stream.reach == "rows":
        return rows
    seconds = _set(name, "reach_s", stream.reach_s)
    begin = {"all": 0.0, "last": -seconds, "middle": -seconds / 2}[config.window.targets]
    if stream.reach == "native":
        if stream.reach_count is not None:
            raise ValueError(
                f"{name}.reach_count: found {stream.reach_count}, expected none: native takes all"
            )
        return Native(begin, max(1, round(seconds * grid.rate_hz)))
    count = _set(name, "reach_count", stream.reach_count)
    if stream.reach == "present" and config.window.edge == "skip":
        raise ValueError(
            f"{name}.reach: found 'present', which always fits; window.edge='skip' wants another"
        )
    if stream.reach == "present":
        return Present(begin, begin + seconds, count)
    # Up to the target itself where it is the last; around it, the middles of even stretches.
    places = np.arange(count) + (1.0 if config.window.targets == "last" else 0.5)
    return Seconds(tuple((begin + places * seconds / count).tolist()))


def _set(name: str, key: str, value: float | int | None) -> float | int:
    if value is None or value <= 0:
        raise ValueError(f"{name}.{key}: found {value}, expected more than 0")
    return value


def _clock(grid: Grid) -> str:
    return "on a clock of its own" if grid.kind == "native" else "of one vector a row"
