"""`abaw`: commands that take files, not configs."""

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

COMMANDS = {
    "check": "read a corpus and say what is in it and what is wrong with it",
    "synth": "make a synthetic corpus that is true to the organisers' files",
    "convert": "turn weights that are published as pickles into safetensors (needs torch)",
    "export": "write an encoder that was trained here as a folder in Hugging Face layout",
    "info": "say what this machine has: versions, devices, codecs, encoders, feature store",
    "compare": "say whether one run is better than another, by a paired bootstrap over tracks",
    "submit": "turn predictions into the organisers' file, or validate one",
    "results": "put the runs below a folder side by side, as a table for a README",
}
"""Name and first line; each lives in the file of its name with `add_arguments` and `run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    more = "`abaw COMMAND -h` says more of one; to train: `python -m abaw_jax.main --help`"
    parser = argparse.ArgumentParser(prog="abaw", description=__doc__, epilog=more)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    asked = next((word for word in (argv if argv is not None else sys.argv[1:]) if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == asked:  # the others need not be imported to be listed
            importlib.import_module(f"abaw_jax.cli.{name}").add_arguments(sub)
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name in any encoding can be printed
    try:
        return importlib.import_module(f"abaw_jax.cli.{args.command}").run(args)
    except (OSError, ValueError, KeyError) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"abaw {args.command}: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"abaw {args.command}: stopped; what was written stays", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
