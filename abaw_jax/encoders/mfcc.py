"""Mel cepstra with their first and second differences as features without weights: 39 numbers, 100 Hz."""

import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.logmel import as_prepared, decibels, hearing

REVISION = 1
CEPSTRA = 13
DELTA_FRAMES = 9  # librosa's default: four frames on either side
ORDERS = 3


def cepstra(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, "t d"]:
    """Of every frame with four others on either side: the differences reach so far."""
    import librosa

    still = librosa.feature.mfcc(S=decibels(sound).T, n_mfcc=CEPSTRA)
    moving = [librosa.feature.delta(still, width=DELTA_FRAMES, order=n) for n in range(1, ORDERS)]
    aside = DELTA_FRAMES // 2
    return np.concatenate([still, *moving])[:, aside:-aside].T.astype(np.float32)


def build(options: Options) -> Encoder:
    """The encoder; it has one view."""
    options.refuse("mfcc", "region", "view", "dtype", *(("chunk_s",) if options.is_causal else ()))
    heard = hearing(options, DELTA_FRAMES)
    return Encoder(
        name="mfcc",
        modality="audio",
        shape=(ORDERS * CEPSTRA,),
        preprocess=cepstra,
        apply=as_prepared,
        variables={},
        identity={"kind": "mfcc", "revision": REVISION},
        input_shape=(heard.vectors, ORDERS * CEPSTRA),
        hearing=heard,
    )
