"""ResNet against transformers' own, from files that it wrote."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.load import load
from abaw_jax.encoders.resnet import SPELLING
from abaw_jax.nn.backbones.resnet import Config, ResNet

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CASES = {
    "bottleneck": {"layer_type": "bottleneck"},
    "basic": {"layer_type": "basic", "hidden_act": "gelu"},
    "first stage strides": {"layer_type": "basic", "downsample_in_first_stage": True},
    "narrow part strides": {"layer_type": "bottleneck", "downsample_in_bottleneck": True},
    "a stride alone": {"layer_type": "basic", "downsample_in_first_stage": True, "embedding_size": 12},
    "no shortcut at first": {"layer_type": "basic", "embedding_size": 12},
}
SIZE = (75, 67)


def tiny(case: str, head: str = "Model"):
    sizes = {"embedding_size": 11, "hidden_sizes": [12, 20, 28], "depths": [2, 1, 2]}
    return getattr(transformers, f"ResNet{head}")(transformers.ResNetConfig(**sizes | CASES[case]))


def images(count: int = 2) -> tuple[jax.Array, object]:
    found = np.random.default_rng(1).standard_normal((count, *SIZE, 3)).astype(np.float32)
    return jnp.asarray(found), torch.tensor(found).permute(0, 3, 1, 2)


@pytest.mark.parametrize("case", CASES)
def test_the_network_agrees_block_by_block_and_as_a_whole(case: str, parity):
    model = tiny(case)
    folder = parity.save(model)
    module = ResNet(Config.from_json(model.config.to_dict()))
    x, pixels = images()
    variables = parity.variables(folder, SPELLING, module, x)
    errors = parity.blocks(lambda **more: module.apply(variables, x, **more), model, lambda: model(pixels))
    convolutions = sum("convolution" in name for name in errors)
    assert convolutions == sum(value.ndim == 4 for value in model.state_dict().values())
    # each with its norm and itself; five layers, three stages, the stem
    assert len(errors) == 3 * convolutions + 5 + 3 + 1
    with torch.no_grad():
        theirs = model(pixels)
    ours = module.apply(variables, x)
    parity.whole(ours["grid"], theirs.last_hidden_state.permute(0, 2, 3, 1))
    parity.whole(ours["pooled"], theirs.pooler_output[:, :, 0, 0])


def test_bfloat16_is_no_further_off_than_torchs(parity):
    model = tiny("bottleneck")
    folder = parity.save(model)
    module = ResNet(Config.from_json(model.config.to_dict()), jnp.bfloat16)
    x, pixels = images(8)
    variables = parity.variables(folder, SPELLING, module, x)
    with torch.no_grad():
        exact = model(pixels).last_hidden_state
        rough = model.bfloat16()(pixels.bfloat16()).last_hidden_state.float()
    ours = module.apply(variables, x)["grid"].astype(jnp.float32).transpose(0, 3, 1, 2)
    parity.bfloat16(ours, rough, exact)


@pytest.mark.parametrize("view", ["pooled", "grid"])
def test_a_classifiers_file_loads_without_its_head_and_views_are_the_references(view: str, parity):
    model = tiny("basic", "ForImageClassification")
    folder = parity.save(model)
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": 70})
    processor.save_pretrained(folder)
    encoder = load(folder, view=view)
    faces = np.random.default_rng(0).integers(0, 256, (2, 90, 131, 3), np.uint8)
    batch = jnp.asarray(np.stack([encoder.preprocess(face) for face in faces]))
    with torch.no_grad():
        out = model.resnet(torch.tensor(np.stack(processor(list(faces))["pixel_values"])).float())
    theirs = {"pooled": out.pooler_output[:, :, 0, 0], "grid": out.last_hidden_state.permute(0, 2, 3, 1)}
    parity.whole(jax.jit(encoder.apply)(encoder.variables, batch), theirs[view])
    assert encoder.shape == theirs[view].shape[1:]


def test_an_unknown_type_of_layer_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="layer_type 'wide'; expected one of: basic, bottleneck"):
        Config.from_json({"layer_type": "wide"})
