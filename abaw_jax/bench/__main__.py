"""Run one benchmark; its last line is JSON."""

import argparse
import importlib
import sys

BENCHMARKS = {
    "encode": "inputs a second of an encoder, against torch and a matrix product",
    "extract": "faces a second from JPEG crops to the store, against encoding alone",
    "loader": "windows a second from cached features to batches, against a torch DataLoader",
    "train": "steps a second of the training loop, against its compiled step alone",
    "corpus": "parse a look-alike of full size, against numpy.loadtxt over the same files",
    "scores": "score three million rows and draw a thousand resamples",
    "evidence": "systems against each of their modalities alone, several seeds; an hour or two",
    "probe": "what a ridge regression reads off the embedded encoders, against features without weights",
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
        "--rounds",
        type=int,
        default=5,
        help="measurements of each side, in turn (%(default)s); evidence and probe have none",
    )
    asked = next((word for word in sys.argv[1:] if word in BENCHMARKS), None)
    benchmark = importlib.import_module(f"abaw_jax.bench.{asked}") if asked else None
    if hasattr(benchmark, "add_arguments"):
        benchmark.add_arguments(parser)
    args = vars(parser.parse_args())
    del args["name"]
    benchmark.run(**args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
