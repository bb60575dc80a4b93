"""The audio spectrogram transformer and its filter bank against transformers' own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.ast import SPELLING, filter_bank, hearing
from abaw_jax.encoders.encoder import Options
from abaw_jax.encoders.load import load
from abaw_jax.nn.backbones.ast import AST, Config

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CASES = {
    "overlapping": {"max_length": 83, "num_mel_bins": 41, "patch_size": 16, "frequency_stride": 10,
                    "time_stride": 10},
    "odd": {"max_length": 50, "num_mel_bins": 23, "patch_size": 7, "frequency_stride": 5, "time_stride": 9,
            "qkv_bias": False, "hidden_act": "gelu_new"},
}  # fmt: skip


def tiny(case: str, kind=None):
    sizes = {"hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 41,
             "layer_norm_eps": 1e-4}  # fmt: skip
    return (kind or transformers.ASTModel)(transformers.ASTConfig(**sizes | CASES[case]))


def in_file(name: str) -> str:
    """The reference's own module names, as its files spell them."""
    steps = [
        ("layers.", "encoder.layer."), (".attention.o_proj", ".attention.output.dense"),
        (".q_proj", ".attention.query"), (".k_proj", ".attention.key"),
        (".v_proj", ".attention.value"), (".mlp.fc1", ".intermediate.dense"),
        (".mlp.fc2", ".output.dense"),
    ]  # fmt: skip
    for theirs, ours in steps:
        name = name.replace(theirs, ours)
    return name


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_the_encoder_agrees_block_by_block_and_as_a_whole(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = AST(Config.from_json(model.config.to_dict()))
    mel = noise(2, CASES[case]["max_length"], CASES[case]["num_mel_bins"])
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(mel))
    reference = torch.tensor(mel)
    errors = parity.blocks(
        lambda **more: jax.jit(lambda v, x: module.apply(v, x, **more))(variables, mel),
        model,
        lambda: model(reference),
        in_file,
    )
    assert len(errors) == 3 * 10 + len(("embeddings", "patch_embeddings", "projection", "layernorm"))
    with torch.no_grad():
        theirs = model(reference)
    parity.whole(jax.jit(module.apply)(variables, mel), theirs.last_hidden_state)


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = tiny("overlapping")
    folder = parity.save(model)
    module = AST(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    mel = noise(2, 83, 41)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(mel))
    with torch.no_grad():
        exact = model(torch.tensor(mel)).last_hidden_state
        rough = model.bfloat16()(torch.tensor(mel).bfloat16()).last_hidden_state.float()
    parity.bfloat16(jax.jit(module.apply)(variables, mel).astype(jnp.float32), rough, exact)


@pytest.mark.parametrize("view", ["pooled", "time", "grid"])
def test_views_are_what_their_names_say(view: str, parity):
    model = tiny("overlapping", transformers.ASTForAudioClassification)
    encoder = load(parity.save(model), view=view)
    mel = noise(2, 83, 41)
    ours = jax.jit(encoder.apply)(encoder.variables, mel)
    with torch.no_grad():
        out = model.audio_spectrogram_transformer(torch.tensor(mel))
    high, long = 3, 7
    # patch by patch: the reference's are counted along time, band after band
    patches = out.last_hidden_state[:, 2:].numpy()
    grid = np.stack([[patches[:, f * long + t] for f in range(high)] for t in range(long)]).transpose(
        2, 0, 1, 3
    )
    expected = {"pooled": out.pooler_output.numpy()[:, None], "time": grid.mean(axis=2), "grid": grid}[view]
    parity.whole(ours, expected)
    assert ours.shape == (2, encoder.hearing.vectors, *encoder.shape)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # so has the published one
@pytest.mark.parametrize("kind", ["noise", "silence", "loud", "tone", "offset"])
@pytest.mark.parametrize(("samples", "mels"), [(164_080, 128), (16_000, 40)])
def test_the_filter_bank_is_the_reference_extractors(samples: int, mels: int, kind: str):
    sounds = {
        "noise": 0.1 * noise(samples),
        "silence": np.zeros(samples),
        "loud": np.clip(3 * noise(samples), -1, 1),
        "tone": np.sin(np.arange(samples) * 0.05),
        "offset": 0.5 + 1e-3 * noise(samples),
    }
    sound = sounds[kind].astype(np.float32)
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=mels, do_normalize=False)
    ours = filter_bank(sound, mels)
    theirs = extractor(sound, sampling_rate=16_000)["input_values"][0]
    assert len(ours) == 1 + (samples - 400) // 160
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("preprocessing", [{}, {"mean": -6.8, "std": 5.5}, {"do_normalize": False}])
def test_the_normalisation_is_the_reference_extractors(preprocessing: dict, parity):
    folder = parity.save(tiny("overlapping"))
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=41, max_length=83, **preprocessing)
    if preprocessing:
        extractor.save_pretrained(folder)
    encoder = load(folder)
    sound = 0.1 * noise(encoder.hearing.chunk)
    ours = encoder.preprocess(sound)
    assert ours.shape == encoder.input_shape == (83, 41)
    theirs = extractor(sound, sampling_rate=16_000)["input_values"][0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def test_the_clock_of_the_published_size():
    config = Config()
    assert config.grid == (12, 101)
    by_time = hearing(Options(), config, "time")
    assert (by_time.chunk, by_time.vectors, by_time.kept, by_time.rate_hz) == (164_080, 101, 80, 10.0)
    assert by_time.first == 1400  # a patch hears 16 windows: 15 hops and a window, 2800 samples
    pooled = hearing(Options(hop_s=2.0), config, "pooled")
    assert (pooled.chunk, pooled.vectors, pooled.rate_hz, pooled.start_s) == (
        164_080,
        1,
        0.5,
        82_040 / 16_000,
    )
    past = hearing(Options(is_causal=True), config, "time")
    assert (past.chunk, past.future_s, past.rate_hz) == (164_080, 0.0, 10.0)


def test_past_only_keeps_the_last_vector_of_a_chunk_that_ends_there(parity):
    folder = parity.save(tiny("overlapping"))
    mel = noise(1, 83, 41)
    for view in ("pooled", "time", "grid"):
        every, last = load(folder, view=view), load(folder, view=view, is_causal=True, hop_s=0.2)
        assert (last.hearing.future_s, last.hearing.rate_hz, last.hearing.vectors) == (0.0, 5.0, 1)
        out = jax.jit(last.apply)(last.variables, mel)
        np.testing.assert_array_equal(out, jax.jit(every.apply)(every.variables, mel)[:, -1:])


def test_what_it_does_not_know_is_refused(parity):
    folder = parity.save(tiny("odd"))
    with pytest.raises(ValueError, match="ast has no view 'last'; expected one of: pooled, time, grid"):
        load(folder, view="last")
    with pytest.raises(ValueError, match="ast knows no chunk_s"):
        load(folder, chunk_s=5.0)
