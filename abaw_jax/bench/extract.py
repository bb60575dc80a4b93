"""Faces a second of the whole extraction job, from JPEG crops to the store, against encoding alone.

Both sides run the same compiled encoder over as many batches; what the job adds is reading, decoding,
resizing, digests and writing.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from abaw_jax.bench.encode import published
from abaw_jax.bench.timing import in_turn, report, spread
from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan, make
from abaw_jax.defaults import get_config
from abaw_jax.extract.device import IN_FLIGHT, Device
from abaw_jax.extract.job import Job, make_job
from abaw_jax.extract.plan import make_plan
from abaw_jax.progress import silent

TRACKS = {"train": 2, "validation": 1, "test": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    parser.add_argument(
        "--encoder", default="openai/clip-vit-base-patch32", help="of faces; id or folder (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of three tracks (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="faces (%(default)s)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])


def run(rounds: int, encoder: str, seconds: float, batch: int, dtype: str) -> None:
    """Make crops, then extract and encode in turn."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(Plan(root / "corpus", Size(**TRACKS, seconds=seconds), with_sounds=False))
        config = get_config()
        config.streams = ("video",)
        config.video.encoder = str(published(encoder, root))
        config.store.root = str(root / "features")
        config.extract.batch_size, config.extract.dtype = batch, dtype
        job = make_job(open_corpus(root / "corpus", cache_dir=root), config)
        images = job.images()
        print(f"{images} crops in {len(job.plan.wanted['video'])} tracks", flush=True)
        taken = in_turn({"extract": lambda: extract(job), "encode": lambda: encode(job, images)}, rounds)
    for name, values in taken.items():
        print(f"{name}: {spread(values)} s, {images / statistics.median(values):.2f} faces a second")
    ours, floor = (images / statistics.median(taken[name]) for name in ("extract", "encode"))
    report("extract", ours, floor, "faces a second", ours / floor, encoder=encoder, dtype=dtype, batch=batch)


def extract(job: Job) -> None:
    """Everything anew, with the encoders that are loaded and compiled."""
    for stream in job.streams:
        for path in stream.features.path.glob("*.json"):
            if path.name != "spec.json":
                path.unlink()
    tracks = list(job.corpus.tracks.values())
    plan = make_plan(job.corpus, tracks, job.streams, job.source, silent)
    summary = Job(job.corpus, job.config, job.streams, job.source, plan).run()
    assert all(summary.made.values()), "nothing was extracted"


def encode(job: Job, images: int) -> None:
    """As many full batches through the same device, and nothing else."""
    device, encoder, size = Device(), job.streams[0].encoder, job.config.extract.batch_size
    send, batch = device.runner(encoder), np.zeros((size, *encoder.input_shape), encoder.input_dtype)
    futures = []
    for number in range(-(-images // size)):
        futures.append(send(batch))
        if number >= IN_FLIGHT:
            futures[number - IN_FLIGHT].result()
    for future in futures:
        future.result()
    device.close()
