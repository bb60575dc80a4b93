"""ArcFace's IR networks against a plain torch definition with the public ports' names."""

import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.iresnet import SPELLING, from_torch
from abaw_jax.encoders.load import load
from abaw_jax.nn.backbones.iresnet import Config, IResNet

torch = pytest.importorskip("torch")
safetensors_numpy = pytest.importorskip("safetensors.numpy")
pytestmark = pytest.mark.parity

TINY = {"layers": (2, 1, 3), "widths": (9, 13, 18), "stem": 9, "embedding_size": 23}
CASES = {
    "aligned": TINY | {"side": 7, "first_stride": 2},
    "small": TINY | {"side": 5, "first_stride": 1},
    "IR-50": {"layers": (3, 4, 14, 3), "widths": (64, 128, 256, 512), "stem": 64, "embedding_size": 512,
              "side": 5, "first_stride": 1},
}  # fmt: skip


def unit(inputs: int, outputs: int, stride: int):
    nn = torch.nn

    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shortcut_layer = nn.MaxPool2d(1, stride)
            if inputs != outputs:
                convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut_layer = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
            self.res_layer = nn.Sequential(
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
                nn.PReLU(outputs),
                nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

        def forward(self, x):
            return self.shortcut_layer(x) + self.res_layer(x)

    return Unit()


def reference(layers, widths, stem, embedding_size, side, first_stride):
    nn, units, before = torch.nn, [], stem
    for stage, (count, width) in enumerate(zip(layers, widths, strict=True)):
        for n in range(count):
            stride = 1 if n else (2 if stage else first_stride)
            units.append(unit(before, width, stride))
            before = width
    model = nn.Sequential()
    stem_parts = nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)
    model.add_module("input_layer", nn.Sequential(*stem_parts))
    model.add_module("body", nn.Sequential(*units))
    flat = nn.Linear(before * side**2, embedding_size)
    parts = nn.BatchNorm2d(before), nn.Dropout(0.4), nn.Flatten(), flat, nn.BatchNorm1d(embedding_size)
    model.add_module("output_layer", nn.Sequential(*parts))
    return model


def state_of(model) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def save(folder, state: dict[str, np.ndarray], **more):
    config, tensors = from_torch(state)
    (folder / "config.json").write_text(json.dumps(config | more))
    safetensors_numpy.save_file(tensors, folder / "model.safetensors")
    return config


@pytest.mark.parametrize("case", CASES)
def test_the_network_agrees_block_by_block_and_as_a_whole(case: str, parity, tmp_path):
    model = parity.randomise(reference(**CASES[case]))
    config = Config.from_json(save(tmp_path, state_of(model)))
    wanted = CASES[case]
    assert (config.layers, config.widths) == (wanted["layers"], wanted["widths"])
    assert config.first_stride == wanted["first_stride"]
    size = config.image_size
    assert size == wanted["side"] * wanted["first_stride"] * 2 ** (len(wanted["layers"]) - 1)
    x = np.random.default_rng(1).standard_normal((2, size, size, 3)).astype(np.float32)
    pixels = torch.tensor(x).permute(0, 3, 1, 2)
    module = IResNet(config)
    variables = parity.variables(tmp_path, SPELLING, module, jnp.asarray(x))
    errors = parity.blocks(
        lambda **more: module.apply(variables, jnp.asarray(x), **more), model, lambda: model(pixels)
    )
    shortcuts = sum(before != after for before, after, _ in config.units)
    assert len(errors) == 3 + 6 * len(config.units) + 2 * shortcuts + 3
    ours = module.apply(variables, jnp.asarray(x))
    with torch.no_grad():
        parity.whole(ours["embedding"], model(pixels))
        parity.whole(ours["grid"], model.body(model.input_layer(pixels)).permute(0, 2, 3, 1))


def test_bfloat16_is_no_further_off_than_torchs(parity, tmp_path):
    model = parity.randomise(reference(**CASES["small"]))
    config = Config.from_json(save(tmp_path, state_of(model)))
    x = np.random.default_rng(1).standard_normal((8, 20, 20, 3)).astype(np.float32)
    module = IResNet(config, jnp.bfloat16)
    variables = parity.variables(tmp_path, SPELLING, module, jnp.asarray(x))
    pixels = torch.tensor(x).permute(0, 3, 1, 2)
    with torch.no_grad():
        exact = model(pixels)
        rough = model.bfloat16()(pixels.bfloat16()).float()
    ours = module.apply(variables, jnp.asarray(x))["embedding"].astype(jnp.float32)
    parity.bfloat16(ours, rough, exact)


def test_faces_of_forty_pixels_are_the_centre_of_forty_eight(parity, tmp_path):
    wide = {"layers": (1, 1, 1, 1), "widths": (4, 5, 6, 7), "stem": 4, "embedding_size": 9}
    save(tmp_path, state_of(parity.randomise(reference(**wide, side=5, first_stride=1))))
    encoder = load(tmp_path)
    face = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    np.testing.assert_array_equal(encoder.preprocess(face), face[4:44, 4:44])
    assert (encoder.shape, load(tmp_path, view="grid").shape) == ((9,), (5, 5, 7))


def test_the_public_network_takes_aligned_faces_whole(parity, tmp_path):
    wide = {"layers": (1, 1, 1, 1), "widths": (4, 5, 6, 7), "stem": 4, "embedding_size": 9}
    state = state_of(parity.randomise(reference(**wide, side=7, first_stride=2)))
    save(tmp_path, {f"module.{key}": value for key, value in state.items()})
    encoder = load(tmp_path)
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    np.testing.assert_array_equal(encoder.preprocess(face), face)
    settings = encoder.identity["pixels"]
    assert settings["mean"] == settings["std"] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("lost", "added", "message"),
    [
        ("output_layer.3.weight", {}, "lacks output_layer.3.weight"),
        ("body.2.shortcut_layer.1.running_var", {}, "lacks body.2.shortcut_layer.1.running_var"),
        ("body.0.res_layer.2.weight", {}, "lacks body.0.res_layer.2.weight"),
        (
            None,
            {"body.0.res_layer.5.fc1.weight": np.ones((2, 2))},
            "has unknown body.0.res_layer.5.fc1.weight",
        ),
    ],
)
def test_other_networks_are_refused_by_what_they_lack(lost, added, message: str, parity):
    state = state_of(parity.randomise(reference(**CASES["small"]))) | added
    state.pop(lost, None)
    with pytest.raises(UnusableWeights, match=re.escape(f"no IR network of ArcFace: it {message}")):
        from_torch(state)
