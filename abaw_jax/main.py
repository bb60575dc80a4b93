"""The front door: python -m abaw_jax.main --config=configs/va.py

--config=configs/va.py                              train; a corpus to try is made if none is given
--config=configs/va.py:real                         a variant of a config
--config=configs/va.py --config.train.steps=50      any key of abaw_jax/defaults.py is a flag
--config=configs/va.py --mode=extract --dry_run     how much there is to encode, and how long it takes
--mode=evaluate --checkpoint=runs/va                score a trained model
--mode=predict --checkpoint=runs/va --split=test    predict rows for a submission
--mode=evaluate --checkpoint=runs/a --checkpoint=runs/b             of several, their ensemble
"""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags

from abaw_jax.defaults import by_modality, check_streams

if TYPE_CHECKING:
    from abaw_jax.train.data import Data
    from abaw_jax.train.engine import Engine

FROM_CHECKPOINT = ("evaluate", "predict")
MODES_OF = dict.fromkeys(("checkpoint", "set", "split", "out"), FROM_CHECKPOINT) | {
    "workdir": ("train",), "alone": ("train",), "dry_run": ("train", "extract"),
}  # fmt: skip
"""Flags that not every mode has."""
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "File of the config, as configs/va.py; with a variant configs/va.py:real."
)
_MODE = flags.DEFINE_enum("mode", "train", ["train", "extract", "evaluate", "predict"], "What to do.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; by default runs/<name of the config>.")
_CHECKPOINT = flags.DEFINE_multi_string(
    "checkpoint",
    [],
    "To evaluate or predict with: a run's folder (its best is meant) or one step's; several: an ensemble.",
)
_SPLIT = flags.DEFINE_string("split", None, "Whose rows: validation (evaluate) or test (predict) by default.")
_SET = flags.DEFINE_multi_string(
    "set", [], "With --checkpoint: KEY=VALUE of its config, as corpus.root=FOLDER."
)
_OUT = flags.DEFINE_string("out", None, "Folder of what is evaluated or predicted; by default in the run's.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Say what would be done, how large it is and how long it takes."
)
_ALONE = flags.DEFINE_bool("alone", False, "Train faces and sound alone as well, to see what each adds.")


def main(argv: Sequence[str]) -> int:
    """Hand the config over to what was asked for."""
    logging.getLogger().setLevel(logging.WARNING)  # absl lets everything through
    absl_logging.set_verbosity(absl_logging.WARNING)
    say_warnings_in_one_line()
    keep_what_is_compiled()
    join_the_others()
    if _MODE.value in FROM_CHECKPOINT:
        return _from_checkpoint()
    check_streams(_CONFIG.value)
    if _MODE.value == "train" and not _trains_an_encoder(_CONFIG.value):
        from abaw_jax.train.making import check

        check(_CONFIG.value)  # before minutes go into features
    if _MODE.value == "extract" or _DRY_RUN.value:
        from abaw_jax.extract import command

        if _trains_an_encoder(_CONFIG.value):
            raise ValueError(
                f"task {_CONFIG.value.task} learns from lessons of its own: there is nothing to extract"
            )
        return command.run(_CONFIG.value, _DRY_RUN.value)
    name = _config_name()
    workdir = Path(_WORKDIR.value or f"runs/{name.replace(':', '_')}")
    return train(_CONFIG.value, name, workdir, _given(sys.argv[1:]), _ALONE.value)


def say_warnings_in_one_line() -> None:
    """Without the line of source that they come from."""
    warnings.formatwarning = lambda message, kind, *_, **__: f"{kind.__name__}: {message}\n"


def keep_what_is_compiled() -> None:
    """For the next run; JAX's own variables have the last word."""
    from abaw_jax.corpus.cache import default_folder

    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(default_folder() / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def join_the_others() -> None:
    """Where JAX_COORDINATOR_ADDRESS is set, this is process JAX_PROCESS_ID of JAX_NUM_PROCESSES.

    Under Slurm and on TPUs JAX finds the two numbers itself.
    """
    if "JAX_COORDINATOR_ADDRESS" not in os.environ:
        return
    import jax

    numbers = (os.environ.get(name) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
    jax.distributed.initialize(None, *(None if number is None else int(number) for number in numbers))


def train(
    config: ConfigDict, name: str, workdir: Path, given: Sequence[str] = (), is_alone_too: bool = False
) -> int:
    """The whole road: corpus, features, training, scores, pictures; `name` and flags `given` say what of.

    `is_alone_too` trains each modality alone as well, in folders beside it.
    """
    import jax

    from abaw_jax.report.summary import show

    code, card = _train_one(config, name, workdir, given)
    if card is None:
        return code
    alone, parts = {}, by_modality(config)
    for part, streams in parts.items() if is_alone_too and len(parts) > 1 else ():
        other = config.copy_and_resolve_references()
        other.streams, beside = streams, workdir.with_name(f"{workdir.name}_{part}")
        code, one = _train_one(other, name, beside, [*given, f"--config.streams={streams}"])
        if one is None:
            return code
        alone[part] = one["score"] | {"rows": one["files"]["rows"]}
    if jax.process_index() == 0:
        show(card | {"alone": alone})
    return code


def _train_one(
    config: ConfigDict, name: str, workdir: Path, given: Sequence[str]
) -> tuple[int, dict[str, Any] | None]:
    """(exit code, the run's card); none of one that was stopped, and none of an encoder."""
    from abaw_jax.train import command as training
    from abaw_jax.train.run import Run

    run = _run(config)
    code = training.run(run, workdir)
    if code or not isinstance(run, Run):
        return code, None
    from abaw_jax.report.ending import finish

    return code, finish(run, workdir, name, given)


def _run(config: ConfigDict) -> "Engine":
    """Of what the task learns from: tracks, or lessons of an encoder."""
    if not _trains_an_encoder(config):
        from abaw_jax.train.run import Run

        return Run.of(config, _data(config))
    from abaw_jax.encoders.blank import open_blank
    from abaw_jax.extract.lessons import open_lessons
    from abaw_jax.terminal import progress
    from abaw_jax.train.engine import compute_dtype
    from abaw_jax.train.lessons import LessonRun

    with progress("lessons") as show:
        blank = open_blank(config.model.name, compute_dtype(config))
        return LessonRun.of(config, blank, *open_lessons(config, show))


def _trains_an_encoder(config: ConfigDict) -> bool:
    from abaw_jax.inputs.lessons import LEARNS

    return config.task in LEARNS


def _data(config: ConfigDict) -> "Data":
    """The corpus and its features; what is lacking is made."""
    if config.corpus.packaged is not None:
        from abaw_jax.inputs.packaged import Packaged

        return Packaged(config.corpus.packaged)
    import jax
    from jax.experimental import multihost_utils

    from abaw_jax.extract import command
    from abaw_jax.extract.text import read_words
    from abaw_jax.train.data import Stored

    corpus, job = command.open_job(config)
    command.finish(job)
    if jax.process_count() > 1:  # each makes its share of the tracks, and all read all of them
        multihost_utils.sync_global_devices("features are there")
    return Stored(
        corpus,
        {stream.name: stream.features for stream in job.streams},
        partial(read_words, config.store.root),
    )


def _from_checkpoint() -> int:
    """Its own config is the one that counts; of several the first one's says how they are joined."""
    from abaw_jax.train import judge
    from abaw_jax.train.making import check
    from abaw_jax.train.run import Run
    from abaw_jax.train.saved import Saved

    members, is_scored = [], _MODE.value == "evaluate"
    for where in _CHECKPOINT.value:
        saved = Saved.find(Path(where))
        config = saved.config(_SET.value)
        if _trains_an_encoder(config):
            raise ValueError(f"{where} trained an encoder: `abaw export {where} --out FOLDER` writes it")
        check(config)
        members.append(judge.Member(saved, Run.of(config, _data(config), saved.stats)))
    split = _SPLIT.value or ("validation" if is_scored else "test")
    return judge.run(members, split, is_scored, Path(_OUT.value) if _OUT.value else None)


def parse(argv: Sequence[str]) -> list[str]:
    """Flags, and one clear line where one of them is wrong."""
    try:
        rest = flags.FLAGS(list(argv))
    except (flags.Error, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        _leave(_one_line(error))
    for name, modes in MODES_OF.items():
        if flags.FLAGS[name].present and _MODE.value not in modes:
            _leave(f"--{name} is for --mode={' and '.join(modes)}, not for {_MODE.value}")
    if _MODE.value in FROM_CHECKPOINT:
        if not _CHECKPOINT.value:
            _leave(f"--checkpoint=FOLDER is missing, which --mode={_MODE.value} takes model and config from")
        if _CONFIG.value is not None:
            _leave(
                f"--mode={_MODE.value} takes the checkpoint's own config; to change a key: --set=KEY=VALUE"
            )
    elif _CONFIG.value is None:
        _leave("--config=FILE is missing, as --config=configs/va.py")
    elif not _config_file().is_file():
        _leave(f"--config={_config_file()}: no such file")
    if len(rest) > 1:
        _leave(f"found {rest[1]!r}, expected flags only, as --config.corpus.root=FOLDER")
    return rest


def _config_file() -> Path:
    return Path(config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")[0])


def _given(words: Sequence[str]) -> list[str]:
    """The keys of the config that were set on the command line, each as one word."""
    given = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--config."):
            given.append(word if "=" in word else f"{word}={after}")
    return given


def _config_name() -> str:
    """`va`, or with its variant `mtl:mixed`."""
    _, colon, variant = config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")
    return _config_file().stem + colon + variant


def _one_line(error: Exception) -> str:
    """What went wrong, without the quotes and the traceback that some libraries put into a message."""
    message = str(error.args[0] if error.args else error)
    if isinstance(error, (AttributeError, KeyError)):  # a message in the quotes of another
        message = message.strip("'\"").replace("\\n", "\n").replace("\\'", "'")
        if message.isidentifier():
            message = f"found no key {message!r}; all there are stand in abaw_jax/defaults.py and the config"
    lines = [line.strip() for line in message.split("\n") if line.strip()]
    if any("Traceback" in line for line in lines):
        return f"{lines[0]} {lines[-1]}"
    return ". ".join(lines)


def _leave(message: str) -> NoReturn:
    print(f"config: {message}", file=sys.stderr)
    sys.exit(2)


def guarded(argv: Sequence[str]) -> int:
    """`main`, and one clear line for what the user can mend."""
    try:
        return main(argv)
    except (OSError, ValueError, KeyError) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"{_MODE.value}: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"{_MODE.value}: stopped; what was finished stays, and the same command goes on", file=sys.stderr
        )
        return 130


if __name__ == "__main__":
    app.run(guarded, flags_parser=parse)
