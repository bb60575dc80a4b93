"""SoundNet against a plain torch definition of it, under the names of the public port."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import load
from abaw_jax.encoders.soundnet import SPELLING, from_torch
from abaw_jax.nn.backbones.soundnet import Config, SoundNet, steps

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

# the paper's table: taps, padding, pool
TABLE = [(64, 32, 8), (32, 16, 8), (16, 8, 0), (8, 4, 0), (4, 2, 4), (4, 2, 0), (4, 2, 0)]
WIDTHS = (5, 6, 7, 9, 11, 12, 13)


class Plain(torch.nn.Module):
    """As images one pixel wide, the way that the original was written."""

    def __init__(self) -> None:
        super().__init__()
        before = 1
        for n, ((taps, padding, pool), width) in enumerate(zip(TABLE, WIDTHS, strict=True), 1):
            self.add_module(f"conv{n}", torch.nn.Conv2d(before, width, (taps, 1), (2, 1), (padding, 0)))
            self.add_module(f"batchnorm{n}", torch.nn.BatchNorm2d(width))
            self.add_module(f"maxpool{n}", torch.nn.MaxPool2d((pool, 1)) if pool else torch.nn.Identity())
            before = width
        self.conv8_objs = torch.nn.Conv2d(before, 17, (8, 1), (2, 1))
        self.conv8_scns = torch.nn.Conv2d(before, 4, (8, 1), (2, 1))

    def forward(self, sound):
        x = sound[:, None, :, None]
        for n in range(1, 8):
            x = torch.relu(getattr(self, f"batchnorm{n}")(getattr(self, f"conv{n}")(x)))
            x = getattr(self, f"maxpool{n}")(x)
        found = {"conv7": x, "objects": self.conv8_objs(x), "scenes": self.conv8_scns(x)}
        return {name: value[..., 0].transpose(1, 2) for name, value in found.items()}


def state(model) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in model.state_dict().items()}


def saved(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    config, tensors = from_torch(arrays)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(
        {key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / "model.safetensors"
    )
    return folder


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("samples", [220_500, 300_001])
def test_the_network_agrees_block_by_block_and_as_a_whole(samples: int, tmp_path: Path, parity):
    model = parity.randomise(Plain())
    folder = saved(tmp_path, state(model))
    module = SoundNet(Config.from_json(json.loads((folder / "config.json").read_text())))
    sound = noise(2, samples)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(sound))
    reference = torch.tensor(sound)
    errors = parity.blocks(
        lambda **more: jax.jit(lambda v, x: module.apply(v, x, **more))(variables, sound),
        model,
        lambda: model(reference),
    )
    assert len(errors) == 7 + 7 + 2
    with torch.no_grad():
        theirs = model(reference)
    ours = jax.jit(module.apply)(variables, sound)
    for name, value in theirs.items():
        parity.whole(ours[name], value)
    assert ours["objects"].shape[1] == steps(samples)


def test_bfloat16_is_no_further_off_than_torchs(tmp_path: Path, parity):
    model = parity.randomise(Plain())
    encoder = load(saved(tmp_path, state(model)), dtype="bfloat16")
    sound = noise(2, 220_500)
    ours = jax.jit(encoder.apply)(encoder.variables, sound)
    with torch.no_grad():
        exact = model(torch.tensor(sound))["objects"]
        rough = model.bfloat16()(torch.tensor(sound).bfloat16())["objects"].float()
    parity.bfloat16(ours, rough, exact)


@pytest.mark.parametrize(("view", "width"), [("objects", 17), ("scenes", 4), ("conv7", 13)])
def test_ten_seconds_are_one_vector_in_their_middle(view: str, width: int, tmp_path: Path, parity):
    model = parity.randomise(Plain())
    encoder = load(saved(tmp_path, state(model)), view=view)
    hearing = encoder.hearing
    assert (hearing.sample_rate_hz, hearing.chunk, hearing.vectors) == (22_050, 220_500, 1)
    assert (hearing.start_s, hearing.rate_hz, hearing.future_s) == (5.0, 1.0, 5.0)
    sound = 0.1 * noise(220_500)
    prepared = encoder.preprocess(sound)
    np.testing.assert_array_equal(prepared, 256 * sound)
    out = jax.jit(encoder.apply)(encoder.variables, prepared[None])
    assert out.shape == (1, 1, width) and encoder.shape == (width,)
    with torch.no_grad():
        theirs = model(torch.tensor(256 * sound)[None])[view]
    assert theirs.shape[1] == (8 if view == "conv7" else 1)
    expected = theirs.mean(axis=1).numpy()
    np.testing.assert_allclose(out[:, 0], expected, atol=1e-4 * max(1, np.abs(expected).max()))
    past = load(tmp_path, view=view, is_causal=True, hop_s=0.5)
    assert (past.hearing.future_s, past.hearing.rate_hz, past.hearing.chunk) == (0.0, 2.0, 220_500)


def test_kernels_without_a_second_axis_are_the_same_network(parity):
    arrays = state(parity.randomise(Plain()))
    flat = {key: value[..., 0] if value.ndim == 4 else value for key, value in arrays.items()}
    (config, tensors), (config_flat, tensors_flat) = from_torch(arrays), from_torch(flat)
    assert config == config_flat and tensors.keys() == tensors_flat.keys()
    assert all(np.array_equal(tensors[key], tensors_flat[key]) for key in tensors)


def test_the_state_of_something_else_is_refused(parity):
    arrays = state(parity.randomise(Plain()))
    del arrays["batchnorm4.running_var"]
    with pytest.raises(UnusableWeights, match=r"not SoundNet: found no batchnorm4\.running_var"):
        from_torch(arrays)


def test_a_chunk_too_short_for_the_last_layer_is_refused(tmp_path: Path, parity):
    folder = saved(tmp_path, state(parity.randomise(Plain())))
    with pytest.raises(ValueError, match=r"chunk_s=5\.0: too short .* expected 10 or more"):
        load(folder, chunk_s=5.0)
    assert load(folder, chunk_s=20.0).input_shape == (441_000,)
