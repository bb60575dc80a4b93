"""The vision transformer against transformers' own, from files that it wrote."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.hub import open_checkpoint
from abaw_jax.encoders.load import load
from abaw_jax.encoders.vit import SPELLING, config_of
from abaw_jax.nn.backbones.vit import Config, ViT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CASES = {
    "with biases": {"hidden_act": "gelu", "image_size": 30, "patch_size": 7, "num_attention_heads": 3},
    "without": {"hidden_act": "gelu_new", "image_size": 33, "patch_size": 11, "num_attention_heads": 2,
                "hidden_size": 26, "qkv_bias": False, "layer_norm_eps": 1e-3, "pooler_output_size": 17},
}  # fmt: skip
IN_FILE = {
    r"^layers\.": "encoder.layer.",
    r"attention\.q_proj": "attention.attention.query",
    r"attention\.k_proj": "attention.attention.key",
    r"attention\.v_proj": "attention.attention.value",
    r"attention\.o_proj": "attention.output.dense",
    r"mlp\.fc1": "intermediate.dense",
    r"mlp\.fc2": "output.dense",
    r"^pooler$": "pooler after its tanh",
}
"""transformers 5 names modules anew in memory and keeps the old names in files."""


def in_file(name: str) -> str:
    for pattern, replacement in IN_FILE.items():
        name = re.sub(pattern, replacement, name)
    return name


def tiny_config(case: str):
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "intermediate_size": 37}
    return transformers.ViTConfig(**sizes | CASES[case])


def images_for(config, count: int = 3) -> tuple[jax.Array, object]:
    size = config.image_size
    images = np.random.default_rng(1).standard_normal((count, size, size, 3)).astype(np.float32)
    return jnp.asarray(images), torch.tensor(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("case", CASES)
def test_the_network_agrees_block_by_block_and_as_a_whole(case: str, parity):
    model = transformers.ViTModel(tiny_config(case))
    folder = parity.save(model)
    module = ViT(Config.from_json(model.config.to_dict()))
    images, pixels = images_for(model.config)
    variables = parity.variables(folder, SPELLING, module, images)
    errors = parity.blocks(
        lambda **more: module.apply(variables, images, **more), model, lambda: model(pixels), in_file
    )
    # in each layer: two norms, three projections, output, attention, two maps, the layer itself
    assert len(errors) == 3 * 10 + len(("embeddings", "patch_embeddings", "projection", "layernorm", "dense"))
    with torch.no_grad():
        theirs = model(pixels)
    ours = module.apply(variables, images)
    parity.whole(ours["tokens"], theirs.last_hidden_state)
    parity.whole(ours["pooler"], theirs.pooler_output)


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = transformers.ViTModel(tiny_config("with biases"))
    folder = parity.save(model)
    module = ViT(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    images, pixels = images_for(model.config, 16)
    variables = parity.variables(folder, SPELLING, module, images)
    ours = module.apply(variables, images)["tokens"].astype(jnp.float32)
    with torch.no_grad():
        exact = model(pixels).last_hidden_state
        rough = model.bfloat16()(pixels.bfloat16()).last_hidden_state.float()
    parity.bfloat16(ours, rough, exact)


@pytest.mark.parametrize("kind", ["ViTForImageClassification", "ViTForMaskedImageModeling"])
def test_a_file_of_a_whole_system_loads_without_its_head_and_has_no_pooler(kind: str, parity):
    config = tiny_config("with biases")
    config.encoder_stride = config.patch_size
    model = getattr(transformers, kind)(config)
    folder = parity.save(model)
    found = config_of(open_checkpoint(folder))
    assert not found.has_pooler
    images, pixels = images_for(config)
    module = ViT(found)
    variables = parity.variables(folder, SPELLING, module, images)
    with torch.no_grad():
        theirs = model.vit(pixels).last_hidden_state
    parity.whole(module.apply(variables, images)["tokens"], theirs)
    assert load(folder).identity["view"] == "cls"
    with pytest.raises(ValueError, match=r"vit has no view 'pooler'; expected one of: cls, mean, grid"):
        load(folder, view="pooler")


@pytest.mark.parametrize("view", ["pooler", "cls", "mean", "grid"])
def test_views_are_those_of_the_reference(view: str, parity):
    model = transformers.ViTModel(tiny_config("without"))
    folder = parity.save(model)
    processor = transformers.ViTImageProcessorPil(size={"height": 33, "width": 33})
    processor.save_pretrained(folder)
    encoder = load(folder, view=view)
    faces = np.random.default_rng(0).integers(0, 256, (2, 33, 33, 3), np.uint8)
    batch = np.stack([encoder.preprocess(face) for face in faces])
    ours = encoder.apply(encoder.variables, jnp.asarray(batch))
    assert ours.shape == (2, *encoder.shape)
    with torch.no_grad():
        out = model(torch.tensor(processor(list(faces), return_tensors="np")["pixel_values"]).float())
    tokens = out.last_hidden_state
    theirs = {
        "pooler": out.pooler_output,
        "cls": tokens[:, 0],
        "mean": tokens[:, 1:].mean(1),
        "grid": tokens[:, 1:].reshape(2, 3, 3, -1),
    }[view]
    parity.whole(ours, theirs)


@pytest.mark.parametrize("shape", [(112, 112), (90, 131), (20, 31)])
def test_preprocessing_is_the_reference_processors(shape: tuple[int, int], parity):
    folder = parity.save(transformers.ViTModel(tiny_config("with biases")))
    processor = transformers.ViTImageProcessorPil(size={"height": 30, "width": 30})
    processor.save_pretrained(folder)
    face = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    raw = processor(face, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
    ours = load(folder).preprocess(face)
    assert np.abs(ours.astype(int) - raw.transpose(1, 2, 0)).max() <= 1


def test_without_a_preprocessor_file_halves_are_the_normalisation(parity):
    folder = parity.save(transformers.ViTModel(tiny_config("with biases")))
    assert not (folder / "preprocessor_config.json").exists()
    settings = load(folder).identity["pixels"]
    assert settings["mean"] == settings["std"] == (0.5, 0.5, 0.5)
    assert settings["resample"] == transformers.ViTImageProcessorPil().resample
    assert json.loads((folder / "config.json").read_text())["image_size"] == settings["size"][0]
