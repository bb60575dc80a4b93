"""`abaw export RUN --out FOLDER`: an encoder that was trained here, as a folder in Hugging Face layout."""

import argparse
from pathlib import Path

from abaw_jax.encoders.blank import open_blank
from abaw_jax.encoders.export import write_encoder
from abaw_jax.encoders.files import sha256_of
from abaw_jax.encoders.load import load, open_named
from abaw_jax.inputs.lessons import LEARNS, Lessons
from abaw_jax.train.engine import compute_dtype
from abaw_jax.train.lessons import LessonRun
from abaw_jax.train.saved import Saved

PREFIXES = {"clip": "", "whisper": "model.encoder."}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="folder of a run that trained an encoder, or one step's"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the encoder goes")


def run(args: argparse.Namespace) -> int:
    """Write the best checkpoint's network, load what was written to be sure, and say its digest."""
    saved = Saved.find(args.run)
    config = saved.config()
    if config.task not in LEARNS:
        raise ValueError(
            f"{args.run}: found a run of task {config.task}, expected one of: {', '.join(LEARNS)}"
        )
    nothing = Lessons({})
    lesson_run = LessonRun.of(config, open_blank(config.model.name, compute_dtype(config)), nothing, nothing)
    state = saved.state(lesson_run)
    entry = next(e for e in saved.notes["history"] if e["step"] == saved.step)
    notes = {"trained": f"abaw_jax, task {config.task}, step {saved.step}", "scores": entry["scores"]}
    prefix = PREFIXES[LEARNS[config.task]]
    network, shape = state.evaluated["params"]["network"], open_named(config.model.name)
    written = write_encoder(network, prefix, shape, args.out, notes)
    encoder = load(args.out)
    print(f"sha256 {sha256_of(written)}  {written}")
    print(f"{args.out}: loads; {encoder.modality}, {encoder.shape[0]} numbers a vector")
    print(f"on lessons held back: r2 {entry['score']:.3f} at step {saved.step}")
    return 0
