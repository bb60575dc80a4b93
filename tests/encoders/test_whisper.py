"""Whisper's encoder and its log-mel against transformers' own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.load import load
from abaw_jax.encoders.whisper import SPELLING, log_mel
from abaw_jax.nn.backbones.whisper import Config, WhisperEncoder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity


def tiny(mels: int = 80, act: str = "gelu", positions: int = 1500):
    return transformers.WhisperModel(
        transformers.WhisperConfig(
            vocab_size=100, num_mel_bins=mels, d_model=36, encoder_layers=3, encoder_attention_heads=3,
            encoder_ffn_dim=41, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16,
            activation_function=act, max_source_positions=positions, pad_token_id=0, bos_token_id=1,
            eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mels", "act", "positions"), [(80, "gelu", 1500), (128, "gelu_new", 37), (80, "relu", 701)]
)
def test_the_encoder_agrees_block_by_block_and_as_a_whole(mels: int, act: str, positions: int, parity):
    model = tiny(mels, act, positions)
    folder = parity.save(model)
    module = WhisperEncoder(Config.from_json(model.config.to_dict()))
    mel = jnp.asarray(np.random.default_rng(0).standard_normal((2, 2 * positions, mels)), jnp.float32)
    variables = parity.variables(folder, SPELLING, module, mel)
    reference = torch.tensor(np.asarray(mel)).transpose(1, 2)
    errors = parity.blocks(
        lambda **more: module.apply(variables, mel, **more),
        model.encoder,
        lambda: model.encoder(reference),
    )
    assert len(errors) > 24
    with torch.no_grad():
        theirs = model.encoder(reference, output_hidden_states=True).hidden_states
    for ours, state in zip(module.apply(variables, mel), theirs, strict=True):
        parity.whole(ours, state)


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = tiny(positions=60)
    folder = parity.save(model)
    module = WhisperEncoder(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    mel = jnp.asarray(np.random.default_rng(0).standard_normal((2, 120, 80)), jnp.float32)
    variables = parity.variables(folder, SPELLING, module, mel)
    reference = torch.tensor(np.asarray(mel)).transpose(1, 2)
    with torch.no_grad():
        exact = model.encoder(reference).last_hidden_state
        rough = model.bfloat16().encoder(reference.bfloat16()).last_hidden_state.float()
    parity.bfloat16(module.apply(variables, mel)[-1].astype(jnp.float32), rough, exact)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("kind", ["noise", "silence", "loud", "tone"])
def test_log_mel_is_the_reference_extractors(mels: int, kind: str):
    rng = np.random.default_rng(0)
    sounds = {
        "noise": 0.1 * rng.standard_normal(480_000),
        "silence": np.zeros(480_000),
        "loud": np.clip(3 * rng.standard_normal(480_000), -1, 1),
        "tone": np.sin(np.arange(480_000) * 0.05),
    }
    sound = sounds[kind].astype(np.float32)
    # its numpy path: with torch installed it would go through a float32 transform, 4e-5 off under a pure tone
    theirs = (
        transformers.WhisperFeatureExtractor(feature_size=mels)
        ._np_extract_fbank_features(sound[None], "cpu")[0]
        .T
    )
    np.testing.assert_allclose(log_mel(sound, mels), theirs, atol=1e-5)


def test_a_chunk_of_thirty_seconds_gives_fifty_vectors_a_second(parity):
    encoder = load(parity.save(tiny()))
    hearing = encoder.hearing
    assert (hearing.rate_hz, hearing.chunk, hearing.vectors, hearing.kept) == (50.0, 480_000, 1500, 1000)
    batch = encoder.preprocess(np.zeros(hearing.chunk, np.float32))[None]
    assert batch.shape[1:] == encoder.input_shape
    assert jax.jit(encoder.apply)(encoder.variables, batch).shape == (1, 1500, *encoder.shape)


def test_past_only_keeps_the_last_vector_of_a_chunk_that_ends_there(parity):
    folder = parity.save(tiny())
    encoder = load(folder, is_causal=True, chunk_s=2.0, hop_s=0.2)
    assert (encoder.hearing.future_s, encoder.hearing.rate_hz, encoder.hearing.start_s) == (0.0, 5.0, 0.2)
    sound = np.random.default_rng(0).standard_normal(encoder.hearing.chunk).astype(np.float32)
    out = encoder.apply(encoder.variables, jnp.asarray(encoder.preprocess(sound)[None]))
    every = load(folder, chunk_s=2.0)
    states = every.apply(every.variables, jnp.asarray(every.preprocess(sound)[None]))
    np.testing.assert_array_equal(out, states[:, -1:])


@pytest.mark.parametrize("view", ["last", "0", "2", "mean:1,3", "mean:last2"])
def test_views_name_layers(view: str, parity):
    folder = parity.save(tiny(positions=50))
    sound = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    encoder = load(folder, view=view)
    states = WhisperEncoder(Config.from_json(tiny(positions=50).config.to_dict())).apply(
        encoder.variables, jnp.asarray(encoder.preprocess(sound)[None])
    )
    wanted = {"last": [3], "0": [0], "2": [2], "mean:1,3": [1, 3], "mean:last2": [2, 3]}[view]
    expected = np.mean([np.asarray(states[n]) for n in wanted], axis=0)
    out = encoder.apply(encoder.variables, jnp.asarray(encoder.preprocess(sound)[None]))
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("view", ["first", "4", "mean:9", "mean:last5", "mean:", "1,2"])
def test_unknown_views_are_refused_with_those_there_are(view: str, parity):
    with pytest.raises(ValueError, match=r"whisper has no view .*expected last, 0 to 3, mean:"):
        load(parity.save(tiny(positions=50)), view=view)
