"""wav2vec 2.0 as an encoder of voices: hidden states at about 50 Hz from raw sound."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.listening import chosen_layers, hearing_of, last_of_chunk
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.nn.backbones.wav2vec2 import Config, Wav2Vec2

REVISION = 1
SPELLING = Spelling(
    prefixes=("wav2vec2.",),
    ignored=(
        r"(wav2vec2\.)?masked_spec_embed",
        r"(lm_head|quantizer|project_hid|project_q|classifier|projector|tdnn|objective)\..*",
        r"layer_weights|feature_extractor\.(weight|bias)",  # heads of summed layers and of x-vectors
    ),
    # torch spells weight norm in two ways
    renamed=(
        (r"parametrizations\.weight\.original0$", "weight_g"),
        (r"parametrizations\.weight\.original1$", "weight_v"),
    ),
)
SAMPLE_RATE_HZ = 16_000
CHUNK_S = 10.0
HOP_S = 8.0  # default, not from the paper: a second of context on either side


def standardise(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """Zero mean and unit variance, over the chunk: the whole sound is not known where it is heard live."""
    sound = np.asarray(sound, np.float64)
    return ((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)).astype(np.float32)


def as_it_is(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """For weights trained on sound that nobody had normalised."""
    return np.asarray(sound, np.float32)


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view` names layers: `last`, `3`, `mean:5,6`, `mean:last4`."""
    options.refuse("wav2vec2", "region")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    model = Wav2Vec2(config, dtype)
    field, stride = config.field, config.stride
    hearing = hearing_of(
        options, SAMPLE_RATE_HZ, stride, first=field // 2, edge=field - stride, chunk_s=CHUNK_S, hop_s=HOP_S
    )
    template = template_of(model.init, jnp.zeros((1, hearing.chunk)))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    view, pick = chosen_layers("wav2vec2", options.view, config.num_hidden_layers)
    is_normed = bool(checkpoint.preprocessing().get("do_normalize", True))

    def apply(variables, sound):
        return last_of_chunk(pick(model.apply(variables, sound)).astype(jnp.float32), hearing)

    return Encoder(
        name=checkpoint.name,
        modality="audio",
        shape=(config.hidden_size,),
        preprocess=standardise if is_normed else as_it_is,
        apply=apply,
        variables=variables,
        identity={
            "kind": "wav2vec2",
            "revision": REVISION,
            "weights": checkpoint.sha256,
            "view": view,
            "do_normalize": is_normed,
        },
        input_shape=(hearing.chunk,),
        hearing=hearing,
    )
