"""CLIP against transformers' own, from files that it wrote."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.clip import SPELLING, adaptive_weights
from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import load
from abaw_jax.nn.backbones.clip import CLIP, Config
from tests.encoders.tiny_tokenizer import END_ID, write_tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CASES = {
    "openai": {"act": "quick_gelu", "patch": 7, "image": 30, "heads": 3, "width": 24, "eos": 2},
    "laion": {"act": "gelu", "patch": 8, "image": 32, "heads": 2, "width": 40, "eos": 95},
}


def tiny(act: str, patch: int, image: int, heads: int, width: int, eos: int):
    tower = {"hidden_size": width, "num_hidden_layers": 3, "num_attention_heads": heads,
             "intermediate_size": 37, "hidden_act": act, "layer_norm_eps": 1e-4}  # fmt: skip
    text = tower | {"vocab_size": 97, "max_position_embeddings": 11, "eos_token_id": eos, "bos_token_id": 1}
    vision = tower | {"image_size": image, "patch_size": patch}
    return transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=19)
    )


def prompts(eos: int) -> tuple[jax.Array, jax.Array]:
    ids = np.random.default_rng(0).integers(3, 90, (4, 11))
    end = 96 if eos == 2 else eos  # OpenAI's first configs: the largest id ends a text
    for row, length in enumerate((3, 11, 7, 5)):
        ids[row, length - 1 :] = end
    is_token = np.arange(11)[None] < np.array([[3], [11], [7], [5]])
    return jnp.asarray(ids, jnp.int32), jnp.asarray(is_token)


@pytest.mark.parametrize("case", CASES)
def test_both_towers_agree_block_by_block_and_as_a_whole(case: str, parity):
    model = tiny(**CASES[case])
    folder = parity.save(model)
    config = Config.from_json(model.config.to_dict())
    size = CASES[case]["image"]
    images = jnp.asarray(np.random.default_rng(1).standard_normal((3, size, size, 3)), jnp.float32)
    ids, is_token = prompts(CASES[case]["eos"])
    module = CLIP(config)
    variables = parity.variables(folder, SPELLING, module, images, ids)
    pixels = torch.tensor(np.asarray(images)).permute(0, 3, 1, 2)
    errors = parity.blocks(
        lambda **more: module.apply(variables, images, ids, **more),
        model,
        lambda: model(torch.tensor(np.asarray(ids)).long(), pixels),
    )
    assert len(errors) > 60
    with torch.no_grad():
        theirs = model(torch.tensor(np.asarray(ids)).long(), pixels)
        pooled = model.vision_model(pixels).pooler_output
        masked = model.get_text_features(
            torch.tensor(np.asarray(ids)).long(), torch.tensor(np.asarray(is_token)).long()
        )
    ours = module.apply(variables, images, ids)
    for name, reference in (("image", theirs.image_embeds), ("text", theirs.text_embeds)):
        normed = ours[name] / np.linalg.norm(ours[name], axis=-1, keepdims=True)
        parity.whole(normed, reference)
    parity.whole(ours["patches"], theirs.vision_model_output.last_hidden_state[:, 1:])
    parity.whole(ours["pooled"], pooled)
    parity.whole(
        module.apply(variables, ids, is_token, method="encode_text")["text"],
        getattr(masked, "pooler_output", masked),
    )
    alone = module.apply(variables, images, False, method="encode_image")
    assert alone["patches"].shape[1] == 0
    np.testing.assert_allclose(alone["image"], ours["image"], rtol=1e-5, atol=1e-6)
    assert float(ours["logit_scale"]) == float(model.logit_scale.detach())


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = tiny(**CASES["openai"])
    folder = parity.save(model)
    config = Config.from_json(model.config.to_dict())
    images = jnp.asarray(np.random.default_rng(1).standard_normal((16, 30, 30, 3)), jnp.float32)
    module = CLIP(config, jnp.bfloat16)
    variables = parity.variables(folder, SPELLING, module, images, jnp.zeros((1, 11), jnp.int32))
    ours = module.apply(variables, images, method="encode_image")["image"]
    pixels = torch.tensor(np.asarray(images)).permute(0, 3, 1, 2)
    with torch.no_grad():
        exact = model.get_image_features(pixels)
        rough = model.bfloat16().get_image_features(pixels.bfloat16())
    exact, rough = (getattr(x, "pooler_output", x).float() for x in (exact, rough))
    parity.bfloat16(ours.astype(jnp.float32), rough, exact)


@pytest.mark.parametrize("view", ["image", "pooled", "grid", "grid7"])
def test_an_encoder_takes_uint8_faces_and_keeps_its_word_on_shapes(view: str, parity):
    folder = parity.save(tiny(**CASES["laion"] | {"patch": 2, "image": 28}))
    encoder = load(folder, view=view)
    faces = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    batch = np.stack([encoder.preprocess(face) for face in faces])
    assert batch.shape[1:] == encoder.input_shape and batch.dtype == encoder.input_dtype
    out = jax.jit(encoder.apply)(encoder.variables, batch)
    assert out.shape == (2, *encoder.shape) and out.dtype == np.float32


@pytest.mark.parametrize("region", ["whole", "brows", "middle", "mouth"])
@pytest.mark.parametrize("shape", [(112, 112), (90, 131), (300, 200), (20, 31)])
def test_preprocessing_is_the_reference_processors(shape: tuple[int, int], region: str, parity):
    folder = parity.save(tiny(**CASES["openai"]))
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size=30)
    processor.save_pretrained(folder)
    encoder = load(folder, region=region)
    face = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    ours = encoder.preprocess(face)
    assert ours.shape == (30, 30, 3)
    if region == "whole":
        raw = processor(face, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
        assert np.abs(ours.astype(int) - raw.transpose(1, 2, 0)).max() <= 1


def test_the_normalisation_on_the_device_is_the_reference_processors(parity):
    folder = parity.save(tiny(**CASES["openai"]))
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size=30)
    processor.save_pretrained(folder)
    from abaw_jax.encoders.hub import open_checkpoint
    from abaw_jax.encoders.pixels import CLIP as CLIP_PIXELS
    from abaw_jax.encoders.pixels import Pixels, from_config

    recipe = from_config(open_checkpoint(folder).preprocessing(), Pixels(30, (30, 30), *CLIP_PIXELS))
    face = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    ours = recipe.normalise(jnp.asarray(face[None]), jnp.float32)[0]
    theirs = processor(face, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_pooling_to_seven_is_torchs_adaptive_pooling():
    for cells in (7, 14, 16, 10):
        grid = np.random.default_rng(0).standard_normal((cells, cells))
        ours = adaptive_weights(cells, 7) @ grid @ adaptive_weights(cells, 7).T
        theirs = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(grid)[None, None], 7)[0, 0]
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("eos", [2, END_ID])
def test_prompts_of_any_length_get_the_references_features(eos: int, parity):
    model = tiny(**CASES["openai"] | {"eos": eos})
    folder = write_tokenizer(parity.save(model))
    encoder = load(folder, view="text")
    prompts = ["a happy face", "x", "abcdef ghi"]
    ids = np.stack([encoder.preprocess(prompt) for prompt in prompts])
    assert ids.shape == (3, 11) and ids.dtype == encoder.input_dtype
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder)
    with torch.no_grad():
        theirs = [model.get_text_features(**tokenizer(prompt, return_tensors="pt")) for prompt in prompts]
    theirs = torch.cat([getattr(x, "pooler_output", x) for x in theirs])
    parity.whole(jax.jit(encoder.apply)(encoder.variables, ids), theirs)


def test_prompts_that_do_not_fit_are_refused_not_cut(parity):
    encoder = load(write_tokenizer(parity.save(tiny(**CASES["openai"]))), view="text")
    with pytest.raises(ValueError, match="found 14 tokens, expected 11 or fewer"):
        encoder.preprocess("abcdef abcdef")


def test_a_tokenizer_of_another_model_is_noticed(parity):
    encoder = load(write_tokenizer(parity.save(tiny(**CASES["laion"]))), view="text")
    with pytest.raises(UnusableWeights, match=f"ends texts with {END_ID}, expected 95"):
        encoder.preprocess("a")
