"""What the audio transformers share: chunks from options, chosen layers, and what past-only chunks keep."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.encoders.encoder import Options
from abaw_jax.encoders.hearing import Hearing


def hearing_of(
    options: Options,
    sample_rate_hz: int,
    stride: int,
    first: int,
    edge: int,
    chunk_s: float,
    hop_s: float,
    most_vectors: int | None = None,
) -> Hearing:
    """Chunks of so many seconds in whole vectors; `edge` samples more than they stride over are heard.

    Past-only: one vector every `hop_s` (by default 0.1 s), from a chunk that ends there.
    """
    vectors = round((options.chunk_s or chunk_s) * sample_rate_hz / stride)
    if options.chunk_s is None and most_vectors is not None:
        vectors = min(vectors, most_vectors)
    if vectors < 1 or (most_vectors is not None and vectors > most_vectors):
        most = "" if most_vectors is None else f" to {most_vectors * stride / sample_rate_hz:g}"
        raise ValueError(f"chunk_s={options.chunk_s}: expected {stride / sample_rate_hz:g}{most} seconds")
    chunk = vectors * stride + edge
    if options.is_causal:
        step = round((options.hop_s or PAST_ONLY_HOP_S) * sample_rate_hz)
        return Hearing(sample_rate_hz, step, step, chunk, 1, 1, is_causal=True)
    kept = min(vectors, round((options.hop_s or hop_s) * sample_rate_hz / stride))
    return Hearing(sample_rate_hz, stride, first, chunk, vectors, kept)


def one_of_chunk(options: Options, sample_rate_hz: int, chunk: int, hop_s: float) -> Hearing:
    """One vector a chunk, in its middle; past-only, where it ends."""
    if options.is_causal:
        step = round((options.hop_s or PAST_ONLY_HOP_S) * sample_rate_hz)
        return Hearing(sample_rate_hz, step, step, chunk, 1, 1, is_causal=True)
    return Hearing(sample_rate_hz, round((options.hop_s or hop_s) * sample_rate_hz), chunk // 2, chunk, 1, 1)


PAST_ONLY_HOP_S = 0.1
"""Default, not from any paper: a past-only chunk costs a whole pass a vector."""


def last_of_chunk(states: Float[Array, "b t *d"], hearing: Hearing) -> Float[Array, "b u *d"]:
    """All vectors of a chunk; of a past-only one the last, which has heard all of it."""
    return states[:, -1:] if hearing.is_causal else states


def chosen_layers(kind: str, view: str | None, layers: int) -> tuple[str, Callable[[Sequence[Array]], Array]]:
    """`last`, a number (0 is what goes into the first layer), or `mean:` of numbers or of `lastN`."""
    view = view or "last"
    numbers = _layer_numbers(kind, view, layers)

    def pick(states: Sequence[Array]) -> Array:
        return jnp.mean(jnp.stack([states[n].astype(jnp.float32) for n in numbers]), axis=0)

    return view, pick


def _layer_numbers(kind: str, view: str, layers: int) -> list[int]:
    expected = f"last, 0 to {layers}, mean:1,2,… or mean:lastN"
    asked = view.removeprefix("mean:")
    try:
        if asked == "last":
            numbers = [layers]
        elif asked.startswith("last"):
            numbers = list(range(layers + 1 - int(asked.removeprefix("last")), layers + 1))
        else:
            numbers = [int(n) for n in asked.split(",")]
    except ValueError as error:
        raise ValueError(f"{kind} has no view {view!r}; expected {expected}") from error
    is_one = view.startswith("mean:") or len(numbers) == 1
    if not numbers or not is_one or min(numbers) < 0 or max(numbers) > layers:
        raise ValueError(f"{kind} has no view {view!r}; expected {expected}")
    return numbers
