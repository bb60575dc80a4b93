"""ConvNeXt and V2 against transformers' own, from files that they wrote."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.convnext import SPELLING
from abaw_jax.encoders.load import load
from abaw_jax.nn.backbones.convnext import Config, ConvNeXt

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CASES = {
    "scaled": ("ConvNext", {"hidden_act": "gelu"}),
    "unscaled": ("ConvNext", {"hidden_act": "gelu_new", "layer_scale_init_value": 0.0}),
    "v2": ("ConvNextV2", {"hidden_act": "gelu", "layer_norm_eps": 1e-3}),
}
SIZE = (75, 67)
"""Odd, and on none of the four stages a multiple of what comes next."""


def tiny(case: str, head: str = "Model"):
    name, more = CASES[case]
    sizes = {"hidden_sizes": [12, 15, 22, 27], "depths": [2, 1, 3, 1], "image_size": 64}
    return getattr(transformers, f"{name}{head}")(getattr(transformers, f"{name}Config")(**sizes | more))


def images(count: int = 2) -> tuple[jax.Array, object]:
    found = np.random.default_rng(1).standard_normal((count, *SIZE, 3)).astype(np.float32)
    return jnp.asarray(found), torch.tensor(found).permute(0, 3, 1, 2)


@pytest.mark.parametrize("case", CASES)
def test_the_network_agrees_block_by_block_and_as_a_whole(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = ConvNeXt(Config.from_json(model.config.to_dict()))
    x, pixels = images()
    variables = parity.variables(folder, SPELLING, module, x)
    errors = parity.blocks(lambda **more: module.apply(variables, x, **more), model, lambda: model(pixels))
    # seven layers of four blocks (V2: five) and themselves; three halvings of two; four stages; four around
    assert len(errors) == 7 * (6 if case == "v2" else 5) + 3 * 2 + 4 + 4
    with torch.no_grad():
        theirs = model(pixels)
    ours = module.apply(variables, x)
    assert ours["grid"].shape == (2, 2, 2, 27)
    parity.whole(ours["grid"], theirs.last_hidden_state.permute(0, 2, 3, 1))
    parity.whole(ours["pooled"], theirs.pooler_output)


@pytest.mark.parametrize("case", ["scaled", "v2"])
def test_bfloat16_is_no_further_off_than_torchs(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = ConvNeXt(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    x, pixels = images(8)
    variables = parity.variables(folder, SPELLING, module, x)
    with torch.no_grad():
        exact = model(pixels).pooler_output
        rough = model.bfloat16()(pixels.bfloat16()).pooler_output.float()
    parity.bfloat16(module.apply(variables, x)["pooled"].astype(jnp.float32), rough, exact)


@pytest.mark.parametrize("case", CASES)
def test_a_classifiers_file_loads_without_its_head(case: str, parity):
    model = tiny(case, "ForImageClassification")
    folder = parity.save(model)
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": 70})
    processor.save_pretrained(folder)
    encoder = load(folder)
    faces = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 3), np.uint8)
    batch = jnp.asarray(np.stack([encoder.preprocess(face) for face in faces]))
    seen = torch.tensor(np.stack(processor(list(faces))["pixel_values"])).float()
    with torch.no_grad():
        theirs = getattr(model, model.base_model_prefix)(seen).pooler_output
    parity.whole(encoder.apply(encoder.variables, batch), theirs)


@pytest.mark.parametrize("shape", [(112, 112), (90, 131), (20, 31)])
@pytest.mark.parametrize("edge", [70, 384])
def test_preprocessing_is_the_reference_processors(edge: int, shape: tuple[int, int], parity):
    folder = parity.save(tiny("scaled"))
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": edge}, crop_pct=0.9)
    processor.save_pretrained(folder)
    face = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    raw = processor(face, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
    ours = load(folder).preprocess(face)
    assert np.abs(ours.astype(int) - raw.transpose(1, 2, 0)).max() <= 1


@pytest.mark.parametrize("view", ["pooled", "grid"])
def test_views_keep_their_word_on_shapes(view: str, parity):
    encoder = load(parity.save(tiny("v2")), view=view, region="mouth")
    batch = jnp.asarray(encoder.preprocess(np.zeros((112, 112, 3), np.uint8))[None])
    assert encoder.input_shape == batch.shape[1:] == (64, 64, 3)
    assert jax.jit(encoder.apply)(encoder.variables, batch).shape == (1, *encoder.shape)
    assert encoder.shape == {"pooled": (27,), "grid": (2, 2, 27)}[view]
