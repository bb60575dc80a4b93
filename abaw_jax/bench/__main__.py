"""Run one benchmark; its last line is JSON."""

import argparse
import importlib
import sys

BENCHMARKS = {
    "corpus": "parse a look-alike of full size, against numpy.loadtxt over the same files",
    "scores": "score three million rows and draw a thousand resamples",
    "synth": "render face crops and synthesise voice on one core",
}


def main() -> int:
    """Hand over to the benchmark's own file."""
    lines = "\n".join(f"  {name:8} {summary}" for name, summary in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m abaw_jax.bench",
        description=f"{__doc__}\n\n{lines}",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("name", choices=BENCHMARKS, metavar="NAME", help="one of the above")
    parser.add_argument(
        "--rounds", type=int, default=5, help="measurements of each side, in turn (%(default)s)"
    )
    args = parser.parse_args()
    importlib.import_module(f"abaw_jax.bench.{args.name}").run(args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
