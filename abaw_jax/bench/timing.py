"""Time two things in turn, so that a drifting machine is fair to both."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every call in every round, after one round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            passed = seconds(call)
            if number:
                taken[name].append(passed)
                print(f"round {number} of {rounds}: {name} {passed:.3f} s", flush=True)
    return taken


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def machine() -> str:
    """What it was measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor()
    )
    return f"{name or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def report(bench: str, ours: float, theirs: float, unit: str, ratio: float, **more: object) -> None:
    """The last line; `ratio` says how many times better ours is, above 1 we lead."""
    line = {"bench": bench, "ours": round(ours, 4), "theirs": round(theirs, 4), "unit": unit}
    print(json.dumps(line | {"ratio": round(ratio, 3), "machine": machine()} | more))
