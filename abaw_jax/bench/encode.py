"""Inputs a second of one encoder, against torch running the same weights, and against a matrix product.

On a CPU torch runs eagerly in the same dtype; on a GPU as its users would run it, compiled, with its own
fused attention.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.bench.flops import flops
from abaw_jax.bench.published import CONFIGS, NETWORKS, write_random
from abaw_jax.bench.timing import in_turn, report, spread
from abaw_jax.encoders.encoder import Encoder
from abaw_jax.encoders.files import UnusableWeights, read_json
from abaw_jax.encoders.hub import open_checkpoint
from abaw_jax.encoders.load import load

BATCHES = {"face": 32, "audio": 1}
MATRIX = {"cpu": 2048, "gpu": 8192, "tpu": 8192}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    parser.add_argument(
        "--encoder", default="openai/clip-vit-base-patch32", help="id or folder (%(default)s)"
    )
    parser.add_argument(
        "--against", choices=["torch"], help="run the other side too; needs the extra [parity]"
    )
    parser.add_argument("--batch", type=int, help="inputs at a time (32 faces, 1 chunk of sound)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])


def run(rounds: int, encoder: str, against: str | None, batch: int | None, dtype: str) -> None:
    """Both sides in turn, the matrix product among them."""
    with tempfile.TemporaryDirectory() as folder:
        source = published(encoder, Path(folder))
        ours = load(source, dtype=dtype)
        size = batch or BATCHES[ours.modality]
        inputs = random_inputs(ours, size)
        step, count = compiled(ours, inputs)
        product, product_flops = matrix_product(dtype)
        calls = {"ours": step, "matrix product": product}
        if against == "torch":
            calls["torch"] = theirs(source, inputs, dtype)
        taken = in_turn(calls, rounds)
    _tell(encoder, taken, size, count, product_flops, dtype)


def _tell(
    encoder: str, taken: dict[str, list[float]], size: int, count: float, product_flops: float, dtype: str
) -> None:
    median = {name: statistics.median(values) for name, values in taken.items()}
    for name in ("ours", *(["torch"] if "torch" in taken else [])):
        print(f"{name}: {spread(taken[name])} s a batch of {size}, {size / median[name]:.2f} a second")
    achieved, peak = count / median["ours"], product_flops / median["matrix product"]
    print(
        f"ours: {achieved / 1e9:,.0f} GFLOP/s; matrix product: {peak / 1e9:,.0f}; {achieved / peak:.0%} of it"
    )
    ratio = median["torch"] / median["ours"] if "torch" in median else float("nan")
    other = size / median["torch"] if "torch" in median else float("nan")
    more = {"encoder": encoder, "dtype": dtype, "batch": size, "of_matrix_product": round(achieved / peak, 3)}
    report("encode", size / median["ours"], other, "inputs a second", ratio, **more)


def published(encoder: str, folder: Path) -> Path:
    """The weights on disk, or random ones of the published size."""
    if encoder not in CONFIGS:
        return open_checkpoint(encoder).folder
    try:
        return open_checkpoint(encoder).folder
    except UnusableWeights:
        print(f"{encoder}: not on this machine; random weights of its size", flush=True)
        return write_random(folder / Path(encoder).name, CONFIGS[encoder])


def random_inputs(encoder: Encoder, size: int) -> np.ndarray:
    """A batch as preprocessing makes them."""
    rng = np.random.default_rng(0)
    shape = (size, *encoder.input_shape)
    if encoder.input_dtype == "uint8":
        return rng.integers(0, 256, shape, np.uint8)
    return rng.standard_normal(shape, np.float32)


def compiled(encoder: Encoder, inputs: np.ndarray) -> tuple[Callable[[], object], float]:
    """One call, and the operations in it."""
    variables, x = jax.device_put((encoder.variables, inputs))
    step = jax.jit(encoder.apply)
    jax.block_until_ready(step(variables, x))
    return lambda: jax.block_until_ready(step(variables, x)), flops(encoder.apply, variables, x)


def matrix_product(dtype: str) -> tuple[Callable[[], object], float]:
    """A square product, the rate that this machine has."""
    n = MATRIX.get(jax.default_backend(), 2048)
    a = jax.random.normal(jax.random.key(0), (n, n)).astype(dtype)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(a, a))
    return lambda: jax.block_until_ready(product(a, a)), 2.0 * n**3


def theirs(source: Path, inputs: np.ndarray, dtype: str) -> Callable[[], object]:
    """The same weights through transformers and torch, the same inputs in its layout."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = read_json(source / "config.json")["model_type"]
    if kind not in NETWORKS:
        raise ValueError(f"{kind}: transformers has no such network; expected one of: {', '.join(NETWORKS)}")
    x = torch.tensor(inputs)
    if kind == "whisper":
        x = x.transpose(1, 2)
    elif x.dtype == torch.uint8:
        x = x.permute(0, 3, 1, 2).float() / 255
    x = x.to(device, getattr(torch, dtype)).contiguous()
    whole = transformers.AutoModel.from_pretrained(source).eval().to(device, getattr(torch, dtype))
    parts = {"clip": "get_image_features", "whisper": "encoder"}
    model = getattr(whole, parts[kind]) if kind in parts else whole
    call = torch.compile(model) if device == "cuda" else model

    def step() -> object:
        with torch.inference_mode():
            out = call(x)
        if device == "cuda":
            torch.cuda.synchronize()
        return out

    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads", flush=True)
    return step
