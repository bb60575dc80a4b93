"""`abaw convert SOURCE --out FOLDER`: published pickles made into weights that run nothing."""

import argparse
from pathlib import Path

from abaw_jax.encoders.convert import convert


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE",
        help="hub id or folder with pytorch_model.bin, or the .pth of IR-50, VGGish (and its PCA), SoundNet",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that is new")


def run(args: argparse.Namespace) -> int:
    """Convert, load what was written to be sure, and say the digests."""
    read, written = convert(args.sources, args.out)
    for name, digest in read.items():
        print(f"sha256 {digest}  {name}")
    print(f"sha256 {written}  {args.out / 'model.safetensors'}")
    print(f"{args.out}: loads; name this folder where a config asks for an encoder")
    return 0
