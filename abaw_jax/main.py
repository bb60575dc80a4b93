"""The front door: `python -m abaw_jax.main --config=configs/va.py`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file("config", None, "File of the config, as configs/va.py or :variant.")
_MODE = flags.DEFINE_enum("mode", "train", ["train", "extract"], "What to do.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; by default runs/<name of the config>.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Say what would be done, how large it is and how long it takes."
)


def main(argv: Sequence[str]) -> int:
    """Hand the config over to what was asked for."""
    logging.getLogger().setLevel(logging.WARNING)  # absl lets everything through
    absl_logging.set_verbosity(absl_logging.WARNING)
    from abaw_jax.extract import command

    if _MODE.value == "extract" or _DRY_RUN.value:
        return command.run(_CONFIG.value, _DRY_RUN.value)
    from abaw_jax.train import command as training

    corpus, job = command.open_job(_CONFIG.value)
    command.finish(job)
    features = {stream.name: stream.features for stream in job.streams}
    name = Path(config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")[0]).stem
    return training.run(_CONFIG.value, corpus, features, Path(_WORKDIR.value or f"runs/{name}"))


def parse(argv: Sequence[str]) -> list[str]:
    """Flags, and one clear line where one of them is wrong."""
    try:
        rest = flags.FLAGS(list(argv))
    except (flags.Error, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        _leave(_one_line(error))
    if _CONFIG.value is None:
        _leave("--config=FILE is missing, as --config=configs/va.py")
    file = Path(config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")[0])
    if not file.is_file():
        _leave(f"--config={file}: no such file")
    if len(rest) > 1:
        _leave(f"found {rest[1]!r}, expected flags only, as --config.corpus.root=FOLDER")
    return rest


def _one_line(error: Exception) -> str:
    """What went wrong, without the quotes and the traceback that some libraries put into a message."""
    message = str(error.args[0] if error.args else error)
    if isinstance(error, (AttributeError, KeyError)):  # a message in the quotes of another
        message = message.strip("'\"").replace("\\n", "\n").replace("\\'", "'")
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
