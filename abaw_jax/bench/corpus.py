"""Parse 594 VA files with three million rows, every check on, against numpy.loadtxt."""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from abaw_jax.bench.timing import in_turn, report, seconds, spread
from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.index import build

TRACKS = 594
ROWS = 3_000_000
LONGEST = 47_435
DECIMALS = (2, 3, 3, 4, 13)


def run(rounds: int) -> None:
    """Write the look-alike, read it in turn with both, then from the cached index."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        paths = write_look_alike(root)
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        print(f"{TRACKS} tracks, {ROWS:,} rows, {megabytes:.0f} MB of text", flush=True)
        taken = in_turn({"build": lambda: build(root), "loadtxt": lambda: load_all(paths)}, rounds)
        cold = seconds(lambda: open_corpus(root, cache_dir=Path(folder)))
        cached = [seconds(lambda: open_corpus(root, cache_dir=Path(folder))) for _ in range(rounds)]
        peak = peak_megabytes(root)
    ours, theirs = (statistics.median(taken[name]) for name in ("build", "loadtxt"))
    print(f"build, every check on: {spread(taken['build'])} s")
    print(f"numpy.loadtxt:         {spread(taken['loadtxt'])} s")
    print(f"build and keep index:  {cold:.3f} s")
    print(f"from the cached index: {spread(cached)} s")
    print(f"peak memory of a process that builds: {peak:.0f} MB")
    more = {"cached_s": round(statistics.median(cached), 4), "peak_mb": round(peak)}
    report("corpus", ours, theirs, "s", theirs / ours, **more)


def write_look_alike(root: Path) -> list[Path]:
    """Files of very unlike lengths, with tokens of unlike lengths and a few invalid runs."""
    rng = np.random.default_rng(0)
    weights = np.minimum(rng.lognormal(0, 0.9, TRACKS), 12)
    rows = np.maximum(73, np.minimum(LONGEST, (weights / weights.sum() * ROWS).astype(int)))
    rows[rows.argmax()] += ROWS - rows.sum()
    paths = []
    for number, count in enumerate(rows.tolist(), start=1):
        split = "Train_Set" if number <= 400 else "Validation_Set"
        path = root / "annotations" / "VA_Estimation_Challenge" / split / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        walk = np.tanh(np.cumsum(rng.normal(0, 0.02, (count, 2)), axis=0)).round(rng.choice(DECIMALS))
        lines = [f"{v!r},{a!r}" for v, a in (walk + 0.0).tolist()]
        if number % 80 == 0:
            lines[:20] = ["-5,-5"] * len(lines[:20])
        path.write_text("\n".join(["valence,arousal", *lines, ""]))
        paths.append(path)
    return paths


def load_all(paths: list[Path]) -> list[np.ndarray]:
    """What a user would write."""
    return [np.loadtxt(path, delimiter=",", skiprows=1) for path in paths]


def peak_megabytes(root: Path) -> float:
    """Peak resident memory of a fresh process that builds the corpus."""
    code = f"from pathlib import Path; from abaw_jax.corpus.index import build; build(Path({str(root)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
