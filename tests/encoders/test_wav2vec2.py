"""wav2vec 2.0 against transformers' own, in the base and in the large shape."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import load
from abaw_jax.encoders.wav2vec2 import SPELLING
from abaw_jax.nn.backbones.wav2vec2 import Config, Wav2Vec2

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

BASE = {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
MIXED = {"feat_extract_norm": "group", "do_stable_layer_norm": True, "conv_bias": True}
CASES = {
    "base": BASE,
    "large": LARGE,
    "odd": BASE | {"num_conv_pos_embeddings": 7, "num_conv_pos_embedding_groups": 3, "hidden_act": "gelu_new",
                   "conv_kernel": (9, 4, 3), "conv_stride": (4, 3, 2), "conv_dim": (11, 9, 13)},
    "mixed": MIXED | {"feat_extract_activation": "gelu_new", "hidden_act": "relu"},
}  # fmt: skip


def tiny(case: str, kind=None, **more):
    entries = {
        "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 41,
        "conv_dim": (13, 12, 11, 12, 13, 14, 15), "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4, "layer_norm_eps": 1e-4, "vocab_size": 20,
    }  # fmt: skip
    return (kind or transformers.Wav2Vec2Model)(
        transformers.Wav2Vec2Config(**entries | CASES.get(case, {}) | more)
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def apply(module, variables, *inputs, **more):
    return jax.jit(lambda variables, *inputs: module.apply(variables, *inputs, **more))(variables, *inputs)


def hidden_states(model, sound, mask=None) -> list:
    """As the format has always counted them: the last one after the stable variant's last norm."""
    with torch.no_grad():
        out = model(sound, mask, output_hidden_states=True)
    return [*out.hidden_states[:-1], out.last_hidden_state]


@pytest.mark.parametrize("case", CASES)
def test_the_encoder_agrees_block_by_block_and_as_a_whole(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = Wav2Vec2(Config.from_json(model.config.to_dict()))
    sound = noise(2, 6007)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(sound))
    reference = torch.tensor(sound)
    errors = parity.blocks(
        lambda **more: apply(module, variables, sound, **more), model, lambda: model(reference)
    )
    assert len(errors) > 40
    states = apply(module, variables, sound)
    assert len(states) == 4
    for ours, theirs in zip(states, hidden_states(model, reference), strict=True):
        parity.whole(ours, theirs)


@pytest.mark.parametrize("case", CASES)
def test_padding_is_masked_as_in_the_reference(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = Wav2Vec2(Config.from_json(model.config.to_dict()))
    sound = noise(2, 6007)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(sound))
    run = jax.jit(module.apply)
    whole = run(variables, sound, jnp.asarray((6007, 6007)))
    for lengths in ((6007, 3001), (1999, 6007), (4000, 403)):
        mask = np.arange(6007)[None] < np.array(lengths)[:, None]
        theirs = hidden_states(model, torch.tensor(sound), torch.tensor(mask).long())
        ours = run(variables, sound, jnp.asarray(lengths))
        for row, length in enumerate(lengths):
            real = module.config.vectors(length)
            assert real >= 1
            for mine, state, unmasked in zip(ours, theirs, whole, strict=True):
                parity.whole(mine[row, :real], state[row, :real])
                assert (np.abs(mine[row] - unmasked[row]).max() > 1e-3) == (length < 6007)


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = tiny("large")
    folder = parity.save(model)
    module = Wav2Vec2(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    sound = noise(2, 4000)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(sound))
    with torch.no_grad():
        exact = model(torch.tensor(sound)).last_hidden_state
        rough = model.bfloat16()(torch.tensor(sound).bfloat16()).last_hidden_state.float()
    parity.bfloat16(apply(module, variables, sound)[-1].astype(jnp.float32), rough, exact)


def test_both_spellings_of_weight_norm_are_one(parity):
    folder = parity.save(tiny("base"))
    tensors = load_file(folder / "model.safetensors")
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in tensors.items()
    }
    assert set(old) - set(tensors) == {f"encoder.pos_conv_embed.conv.weight_{letter}" for letter in "gv"}
    new = load(folder)
    save_file(old, folder / "model.safetensors")
    for ours, theirs in zip(
        jax.tree.leaves(load(folder).variables), jax.tree.leaves(new.variables), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["ForCTC", "ForPreTraining", "ForSequenceClassification", "ForXVector"])
def test_files_of_whole_systems_give_their_encoder(kind: str, parity):
    more = {"use_weighted_layer_sum": True} if kind == "ForXVector" else {}
    model = tiny("large", getattr(transformers, f"Wav2Vec2{kind}"), **more)
    encoder = load(parity.save(model), chunk_s=0.5)
    sound = noise(1, encoder.hearing.chunk)
    parity.whole(
        jax.jit(encoder.apply)(encoder.variables, sound),
        hidden_states(model.wav2vec2, torch.tensor(sound))[-1],
    )


@pytest.mark.parametrize("more", [{"add_adapter": True}, {"adapter_attn_dim": 8}])
def test_adapters_are_refused(more: dict, parity):
    with pytest.raises(ValueError, match="adapters is not supported"):
        load(parity.save(tiny("large", **more)))


def test_a_missing_and_an_unknown_weight_are_named(parity):
    folder = parity.save(tiny("base"))
    tensors = load_file(folder / "model.safetensors")
    bias = tensors.pop("encoder.layers.1.attention.k_proj.bias")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UnusableWeights, match=r"lacks 1 keys: encoder.layers.1.attention.k_proj.bias"):
        load(folder)
    save_file(
        tensors | {"encoder.layers.1.attention.k_proj.bias": bias, "odd": bias}, folder / "model.safetensors"
    )
    with pytest.raises(UnusableWeights, match="has unknown 1 keys: odd"):
        load(folder)


@pytest.mark.parametrize("is_normed", [True, False, None])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 0.0])
def test_preprocessing_is_the_reference_extractors(is_normed: bool | None, scale: float, parity):
    folder = parity.save(tiny("base"))
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True if is_normed is None else is_normed)
    if is_normed is not None:
        extractor.save_pretrained(folder)
    sound = scale * (noise(4001) + np.float32(0.3))
    theirs = extractor(sound, sampling_rate=16_000)["input_values"][0]
    encoder = load(folder)
    np.testing.assert_allclose(encoder.preprocess(sound), theirs, atol=1e-5)
    assert encoder.identity["do_normalize"] is (is_normed is not False)


def test_a_chunk_of_ten_seconds_is_heard_to_its_last_sample(parity):
    encoder = load(parity.save(tiny("base")))
    hearing = encoder.hearing
    assert (hearing.rate_hz, hearing.first, hearing.vectors, hearing.kept) == (50.0, 200, 500, 400)
    assert hearing.chunk == 160_080 and encoder.input_shape == (160_080,)
    assert jax.eval_shape(encoder.apply, encoder.variables, jnp.zeros((1, 160_080))).shape == (
        1, 500, *encoder.shape,
    )  # fmt: skip
    config = Config.from_json(json.loads((parity.folder / "Wav2Vec2Model/config.json").read_text()))
    assert (config.field, config.stride) == (400, 320)
    assert (config.vectors(160_079), config.vectors(160_080)) == (499, 500)


def test_each_vector_of_the_convolutions_is_centred_where_hearing_says(parity):
    encoder = load(parity.save(tiny("large")), chunk_s=0.5)
    module = Wav2Vec2(Config.from_json(tiny("large").config.to_dict()))
    hearing = encoder.hearing
    quiet = np.zeros((1, hearing.chunk), np.float32)

    def convolved(sound):
        return apply(module, encoder.variables, sound, method=lambda m, x: m.feature_extractor(x))

    for sample in (0, 199, 4000, hearing.chunk - 1):
        click = quiet.copy()
        click[0, sample] = 1.0
        changed = np.flatnonzero(np.abs(convolved(click) - convolved(quiet)).max(axis=(0, 2)))
        centres = hearing.first + hearing.stride * np.arange(hearing.vectors)
        hears = (centres - 200 <= sample) & (sample < centres + 200)
        np.testing.assert_array_equal(changed, np.flatnonzero(hears))


@pytest.mark.parametrize(
    ("case", "view"),
    [("base", "last"), ("base", "mean:last4"), ("large", "last"), ("large", "0"), ("large", "mean:1,3")],
)
def test_views_name_layers(case: str, view: str, parity):
    model = tiny(case)
    encoder = load(parity.save(model), view=view, chunk_s=0.3)
    sound = noise(2, encoder.hearing.chunk)
    states = hidden_states(model, torch.tensor(sound))
    wanted = {"last": [3], "0": [0], "mean:1,3": [1, 3], "mean:last4": [0, 1, 2, 3]}[view]
    expected = torch.stack([states[n] for n in wanted]).mean(0)
    parity.whole(jax.jit(encoder.apply)(encoder.variables, sound), expected)


def test_past_only_keeps_the_last_vector_of_a_chunk_that_ends_there(parity):
    folder = parity.save(tiny("large"))
    encoder = load(folder, is_causal=True, chunk_s=1.0, hop_s=0.2)
    assert (encoder.hearing.future_s, encoder.hearing.rate_hz, encoder.hearing.start_s) == (0.0, 5.0, 0.2)
    every = load(folder, chunk_s=1.0)
    sound = noise(1, encoder.hearing.chunk)
    states = jax.jit(every.apply)(every.variables, sound)
    np.testing.assert_array_equal(jax.jit(encoder.apply)(encoder.variables, sound), states[:, -1:])


def test_options_of_faces_are_refused(parity):
    with pytest.raises(ValueError, match="wav2vec2 knows no region"):
        load(parity.save(tiny("base")), region="mouth")
