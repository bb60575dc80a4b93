"""The front door: `python -m abaw_jax.main --config=configs/va.py`."""

import logging
import sys
from collections.abc import Sequence

from absl import app, flags
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file("config", None, "File of the config, as configs/va.py or :variant.")
_MODE = flags.DEFINE_enum("mode", "extract", ["extract"], "What to do.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Say what would be done, how large it is and how long it takes."
)


def main(argv: Sequence[str]) -> int:
    """Hand the config over to what was asked for."""
    if len(argv) > 1:
        raise app.UsageError(f"found {argv[1]!r}, expected flags only, as --config.corpus.root=FOLDER")
    if _CONFIG.value is None:
        raise app.UsageError("--config=FILE is missing, as --config=configs/va.py")
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)  # what hardware there is not
    from abaw_jax.extract import command

    return command.run(_CONFIG.value, _DRY_RUN.value)


def parse(argv: Sequence[str]) -> list[str]:
    """Flags, and one clear line where one of them is wrong."""
    try:
        return app.parse_flags_with_usage(list(argv))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = error.args[0] if error.args else error
        print(f"config: {str(message).strip(chr(34))}", file=sys.stderr)
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
