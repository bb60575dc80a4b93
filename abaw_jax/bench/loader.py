"""Windows a second from cached features to batches, against a torch DataLoader over the same files.

A window is 300 rows of 768 + 512 float16 numbers with labels and masks. Both sides shuffle, read the same
mapped files and make batches of 32; torch is measured with no worker and with two, and the better one counts.
`--beside` does the same with a compiled step running on every batch.
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.bench.cached import make
from abaw_jax.bench.timing import in_turn, report, spread
from abaw_jax.inputs.loader import Loader, Pool
from abaw_jax.inputs.order import Order
from abaw_jax.inputs.plan import make_plan
from abaw_jax.inputs.source import LabelChoice
from abaw_jax.inputs.windows import contiguous
from abaw_jax.train.data import Stored

WINDOW, STRIDE, BATCH = 300, 100, 32
WORKERS = (0, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    parser.add_argument("--tracks", type=int, default=40, help="of 3,000 rows (%(default)s)")
    parser.add_argument("--batches", type=int, default=120, help="a measurement (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of ours (%(default)s)")
    parser.add_argument("--beside", action="store_true", help="with a step on every batch")


def run(rounds: int, tracks: int, batches: int, threads: int, beside: bool) -> None:
    """Both sides in turn."""
    act = _step() if beside else lambda batch: None
    with tempfile.TemporaryDirectory() as folder:
        data = make(Path(folder), tracks, 3000)
        calls = {"ours": lambda: _drain(_ours(data, batches, threads), act)}
        for workers in WORKERS:
            loader = _torch_loader(data, workers)
            calls[f"torch, {workers} workers"] = lambda it=loader: _drain(_torch(it, batches), act)
        if beside:
            batch = next(_ours(data, 1, 0))
            calls["step alone"] = lambda: _drain(itertools.repeat(batch, batches), act)
        taken = in_turn(calls, rounds)
    rates = {name: [batches * BATCH / value for value in values] for name, values in taken.items()}
    for name, values in rates.items():
        print(f"{name}: {spread(values)} windows a second")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    theirs = max(value for name, value in medians.items() if name.startswith("torch"))
    ours = medians["ours"]
    report("loader", ours, theirs, "windows a second", ours / theirs, beside=beside, threads=threads)


def _drain(batches: Iterable, act: Callable) -> None:
    last = None
    for batch in batches:
        last = act(batch)
    jax.block_until_ready(last)


def _step() -> Callable:
    """Some work over the features of a batch."""
    kernel = jnp.ones((768, 4), jnp.float32)

    @jax.jit
    def step(video, audio):
        return (video.astype(jnp.float32) @ kernel).sum() + (audio.astype(jnp.float32) @ kernel[:512]).sum()

    return lambda batch: step(np.asarray(batch["video"]), np.asarray(batch["audio"]))


def _ours(data: Stored, batches: int, threads: int):
    source = data.source(data.corpus.split("va", "train"), LabelChoice(("va",)))
    plan = make_plan(
        contiguous(WINDOW, ("video", "audio"), STRIDE, STRIDE), source.timelines, source.grids, True
    )
    return Loader([Pool(source, plan, Order(len(plan), BATCH, 0))], threads=threads).from_step(0, batches)


def _torch(loader, batches: int):
    """Epoch after epoch."""
    return itertools.islice(itertools.chain.from_iterable(itertools.repeat(loader)), batches)


def _torch_loader(data: Stored, workers: int):
    """As one would write it: files mapped once, a copy of the window's rows, default collation."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    tracks = data.corpus.split("va", "train")

    class Windows(Dataset):
        def __init__(self) -> None:
            self.places = [
                (n, row) for n, t in enumerate(tracks) for row in range(0, t.rows - WINDOW + 1, STRIDE)
            ]
            self.features, self.present = {}, {}
            for name, found in data.features.items():
                paths = [found.path / f"{track.name}.npy" for track in tracks]
                self.features[name] = [np.load(path, mmap_mode="r") for path in paths]
                self.present[f"present/{name}"] = [found.read(track.name).present for track in tracks]
            labels = [track.labels_for("va") for track in tracks]
            self.va = [found["va"].astype(np.float32) for found in labels]
            self.mask = [found["va_mask"] for found in labels]

        def __len__(self) -> int:
            return len(self.places)

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            number, row = self.places[index]
            rows = slice(row, row + WINDOW)
            mapped = {name: np.array(maps[number][rows]) for name, maps in self.features.items()}
            flags = {name: present[number][rows] for name, present in self.present.items()}
            labels = {"va": self.va[number][rows], "va_mask": self.mask[number][rows]}
            return {name: torch.from_numpy(value) for name, value in (mapped | flags | labels).items()}

    return DataLoader(
        Windows(), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers,
        persistent_workers=workers > 0, multiprocessing_context="fork" if workers else None,
    )  # fmt: skip
