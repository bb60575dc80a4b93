"""Package a corpus and its features for training from one folder or bucket.

python data/build.py --config=configs/va.py:real --config.corpus.root=/path/to/Aff-Wild2 --out=gs://bucket/affwild2

Features must have been extracted with the same config (`--mode=extract`). Train from the package with
`--config.corpus.packaged=gs://bucket/affwild2`. The licence of Aff-Wild2 goes with it: see data/README.md.
"""

import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

sys.path.insert(0, str(Path(__file__).parent))  # the builders lie beside this file

_CONFIG = config_flags.DEFINE_config_file("config", None, "File of the config.")
_OUT = flags.DEFINE_string("out", None, "Folder or bucket path to write to.", required=True)
_SEGMENT_ROWS = flags.DEFINE_integer("segment_rows", 256, "Rows of a record.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Open the corpus and the store, and write both data sets."""
    del argv
    absl_logging.set_verbosity(absl_logging.WARNING)
    import tensorflow_datasets as tfds
    from segments import Affwild2Segments, Affwild2Tracks

    from abaw_jax.extract.command import open_job
    from abaw_jax.extract.text import read_words
    from abaw_jax.inputs.packaged import Contents, Spoken

    corpus, job = open_job(_CONFIG.value)
    lacking = {name: len(tracks) for name, tracks in job.plan.wanted.items() if tracks}
    if lacking:
        said = ", ".join(f"{count} tracks of {name}" for name, count in lacking.items())
        sys.exit(f"build: {said} are not extracted yet: run the same config with --mode=extract first")
    features = {stream.name: stream.features for stream in job.streams}
    specs = {name: found.spec for name, found in features.items()}
    text, words = _CONFIG.value.text, None
    if text.prompts != "none":
        vectors = read_words(_CONFIG.value.store.root, text.prompts, text.encoder)
        words = Spoken(text.prompts, text.encoder, vectors.tolist())
    contents = Contents.of(specs, corpus, _SEGMENT_ROWS.value, words)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    for builder in (Affwild2Tracks, Affwild2Segments):
        made = builder(contents=contents, corpus=corpus, features=features, data_dir=_OUT.value)
        if made.data_path.exists():
            sys.exit(f"build: {made.data_path} is there already: remove it, or name another --out")
        made.download_and_prepare()
        print(f"{made.data_path}: {made.info.splits[made.SPLIT].num_examples:,} records")


if __name__ == "__main__":
    app.run(main)
