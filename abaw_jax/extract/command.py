"""`--mode=extract`: open the corpus, run the job or only say what it would do, and tell how it went."""

import time
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.synthetic.make import Plan
from abaw_jax.corpus.synthetic.standard import make_scored, read_standards
from abaw_jax.corpus.tracks import Corpus
from abaw_jax.extract.job import Job, Summary, make_job
from abaw_jax.extract.streams import Stream
from abaw_jax.terminal import bytes_text, duration_text, progress

SHOWN_OF_A_KIND = 3


def run(config: ConfigDict, is_dry: bool) -> int:
    """Returns the exit code: 0, also where single images were skipped and told."""
    _, job = open_job(config)
    if is_dry:
        _print_stale(job, "to be made")
        _print_plan(job)
    else:
        finish(job)
    return 0


def open_job(config: ConfigDict) -> tuple[Corpus, Job]:
    """The corpus, and what is lacking of its features."""
    root = Path(config.corpus.root) if config.corpus.root else made(config)
    with progress("extract") as show:
        corpus = open_corpus(root, index_times=config.corpus.index_times, on_progress=show)
        return corpus, make_job(corpus, config, show)


def made(config: ConfigDict) -> Path:
    """The synthetic corpus of a config, made by one process if it is not there."""
    wanted = config.synthetic
    name = f"{wanted.size}-edition{wanted.edition}-seed{wanted.seed}"
    plan = Plan(Path(wanted.root) / name, wanted.size, wanted.seed, wanted.edition)
    if jax.process_index() == 0 and read_standards(plan.root) is None:
        print(f"no corpus.root given: making a synthetic corpus in {plan.root}", flush=True)
        with progress("synth") as show:
            make_scored(plan, show)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the corpus is there")
    return plan.root


def finish(job: Job) -> None:
    """Make what is lacking, and tell."""
    with progress("extract") as job.on_progress:
        summary = job.run()
    _print_stale(job, "made")
    _print_summary(job, summary)


def _print_stale(job: Job, what: str) -> None:
    for name, why in job.plan.stale.items():
        print(f"{what} again: {name}: {why}")


def _print_plan(job: Job) -> None:
    """Rows, bytes, and an estimate from a few real batches."""
    for stream in job.streams:
        wanted = job.plan.wanted[stream.name]
        vectors = sum(_expected_vectors(stream, track) for track in wanted)
        size = vectors * stream.spec.bytes_a_vector
        inputs = _inputs(job, stream)
        rate = _inputs_a_second(job, stream) if inputs else 1.0
        print(
            f"{stream.name}: {len(wanted)} tracks to make, {job.plan.kept[stream.name]} there; "
            f"{vectors:,} vectors, {bytes_text(size)}; "
            f"about {duration_text(inputs / rate)} at {rate:,.1f} inputs/s"
        )
        print(f"  into {stream.features.path}")


def _expected_vectors(stream: Stream, track) -> int:
    if stream.spec.grid.kind == "rows":
        return len(stream.spec.grid.rows(track.rows, track.fps))
    seconds = track.facts.duration_s if track.facts else 0.0
    return round(seconds * stream.spec.grid.rate_hz)


def _inputs(job: Job, stream: Stream) -> int:
    """Images, or chunks of sound."""
    if stream.modality == "face":
        return job.images()
    hearing = stream.encoder.hearing
    step_s = hearing.kept * hearing.stride / hearing.sample_rate_hz
    chunks = (t.rows if stream.align == "chunk" else (t.facts.duration_s if t.facts else 0) / step_s
              for t in job.plan.wanted[stream.name])  # fmt: skip
    return round(sum(chunks))


def _inputs_a_second(job: Job, stream: Stream) -> float:
    size = job.config.extract["batch_size" if stream.modality == "face" else "audio_batch_size"]
    batch = np.zeros((size, *stream.encoder.input_shape), stream.encoder.input_dtype)
    apply = jax.jit(stream.encoder.apply)
    jax.block_until_ready(apply(stream.encoder.variables, batch))
    began = time.monotonic()
    jax.block_until_ready(apply(stream.encoder.variables, batch))
    return size / (time.monotonic() - began)


def _print_summary(job: Job, summary: Summary) -> None:
    for stream in job.streams:
        made, kept = summary.made[stream.name], summary.kept[stream.name]
        size = bytes_text(summary.vectors[stream.name] * stream.spec.bytes_a_vector)
        print(
            f"{stream.name}: {made} tracks made ({summary.vectors[stream.name]:,} vectors, {size}), "
            f"{kept} were there; {stream.features.path}"
        )
    if any(summary.made.values()):
        print(f"{duration_text(summary.seconds)}, device busy {summary.busy_share:.0%} of it")
    shown: dict[str, int] = {}
    for problem in summary.problems:
        shown[problem.kind] = shown.get(problem.kind, 0) + 1
        if shown[problem.kind] <= SHOWN_OF_A_KIND:
            print(f"skipped: {problem}")
    for kind, count in summary.by_kind().items():
        print(f"skipped in all: {count} x {kind}")
