"""VGGish against a plain torch definition of it, under the names of the public port."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import load
from abaw_jax.encoders.vggish import SPELLING, from_torch
from abaw_jax.nn.backbones.vggish import Config, VGGish

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


class Plain(torch.nn.Module):
    """Six convolutions, four pools, three linear maps, and the postprocessor's two arrays."""

    def __init__(self, channels: tuple[int, ...], hidden: int, out: int) -> None:
        super().__init__()
        layers, before = [], 1
        for n, width in enumerate(channels):
            layers += [torch.nn.Conv2d(before, width, 3, padding=1), torch.nn.ReLU()]
            layers += [torch.nn.MaxPool2d(2)] if n in (0, 1, 3, 5) else []
            before = width
        self.features = torch.nn.Sequential(*layers)
        sizes = (6 * 4 * before, hidden, hidden, out)
        linear = [(torch.nn.Linear(sizes[n], sizes[n + 1]), torch.nn.ReLU()) for n in range(3)]
        self.embeddings = torch.nn.Sequential(*(module for pair in linear for module in pair))
        self.pproc = torch.nn.Module()
        self.pproc.pca_eigen_vectors = torch.nn.Parameter(torch.zeros(out, out))
        self.pproc.pca_means = torch.nn.Parameter(torch.zeros(out, 1))

    def forward(self, mel):
        # the original's order: time, band, channel
        return self.embeddings(self.features(mel[:, None]).permute(0, 2, 3, 1).flatten(1))

    def whiten(self, embedding):
        white = (embedding - self.pproc.pca_means[:, 0]) @ self.pproc.pca_eigen_vectors.T
        return torch.round((white.clamp(-2, 2) + 2) * 63.75)


def plain(parity) -> Plain:
    model = parity.randomise(Plain((5, 6, 7, 8, 9, 10), 19, 13))
    with torch.no_grad():
        model.pproc.pca_eigen_vectors.mul_(20)  # so that some values are clipped
    return model


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


def test_the_network_agrees_block_by_block_and_as_a_whole(tmp_path: Path, parity):
    model = plain(parity)
    folder = saved(tmp_path, state(model))
    module = VGGish(Config.from_json(json.loads((folder / "config.json").read_text())))
    mel = noise(3, 96, 64)
    variables = parity.variables(folder, SPELLING, module, jnp.asarray(mel))
    reference = torch.tensor(mel)
    errors = parity.blocks(
        lambda **more: jax.jit(lambda v, x: module.apply(v, x, **more))(variables, mel),
        model,
        lambda: model(reference),
    )
    assert len(errors) == 6 + 3
    with torch.no_grad():
        embedding = model(reference)
        white = model.whiten(embedding).numpy()
    ours = jax.jit(module.apply)(variables, mel)
    parity.whole(ours["embedding"], embedding)
    np.testing.assert_array_equal(ours["pca"], white)
    assert 0 in white and 255 in white and len(np.unique(white)) > 10


def test_bfloat16_is_no_further_off_than_torchs(tmp_path: Path, parity):
    model = plain(parity)
    folder = saved(tmp_path, state(model))
    encoder = load(folder, dtype="bfloat16")
    mel = noise(64, 96, 64)
    ours = jax.jit(encoder.apply)(encoder.variables, mel)[:, 0]
    with torch.no_grad():
        exact = model(torch.tensor(mel))
        rough = model.bfloat16()(torch.tensor(mel).bfloat16()).float()
    parity.bfloat16(ours, rough, exact)


@pytest.mark.parametrize(
    ("matrix", "means"),
    [
        ("pproc.pca_matrix", "pproc.pca_means"),
        ("pca_eigen_vectors", "pca_means"),
        ("pca_matrix", "pca_means"),
    ],
)
def test_every_name_of_the_pca_is_recognised(matrix: str, means: str, parity):
    arrays = state(plain(parity))
    config, tensors = from_torch(arrays)
    other = {key: value for key, value in arrays.items() if not key.startswith("pproc")}
    other |= {matrix: arrays["pproc.pca_eigen_vectors"], means: arrays["pproc.pca_means"]}
    config_again, tensors_again = from_torch(other)
    assert config == config_again and config["has_pca"]
    assert tensors.keys() == tensors_again.keys()
    assert all(np.array_equal(tensors[key], tensors_again[key]) for key in tensors)


def test_without_pca_there_is_no_such_view(tmp_path: Path, parity):
    arrays = {key: value for key, value in state(plain(parity)).items() if not key.startswith("pproc")}
    folder = saved(tmp_path, arrays)
    assert load(folder).shape == (13,)
    with pytest.raises(ValueError, match="vggish has no view 'pca'; expected one of: embedding"):
        load(folder, view="pca")


def test_the_state_of_something_else_is_refused(parity):
    arrays = state(plain(parity))
    del arrays["features.8.bias"]
    with pytest.raises(UnusableWeights, match=r"not VGGish: found no features\.8\.bias"):
        from_torch(arrays)


@pytest.mark.parametrize("view", ["embedding", "pca"])
def test_a_chunk_is_one_vector_in_its_middle(view: str, tmp_path: Path, parity):
    model = plain(parity)
    encoder = load(saved(tmp_path, state(model)), view=view)
    hearing = encoder.hearing
    assert (hearing.chunk, hearing.vectors, hearing.stride, hearing.start_s) == (15_600, 1, 15_360, 0.4875)
    mel = encoder.preprocess(0.1 * noise(15_600))
    assert mel.shape == encoder.input_shape
    out = jax.jit(encoder.apply)(encoder.variables, mel[None])
    assert out.shape == (1, 1, 13) and out.dtype == np.float32
    with torch.no_grad():
        embedding = model(torch.tensor(mel)[None])
        expected = embedding if view == "embedding" else model.whiten(embedding)
    np.testing.assert_allclose(out[:, 0], expected, atol=1e-4 if view == "embedding" else 0)
    past = load(tmp_path, view=view, is_causal=True)
    assert (past.hearing.future_s, past.hearing.rate_hz, past.hearing.chunk) == (0.0, 10.0, 15_600)
    np.testing.assert_array_equal(jax.jit(past.apply)(past.variables, mel[None]), out)


def test_options_that_mean_nothing_here_are_refused(tmp_path: Path, parity):
    with pytest.raises(ValueError, match="vggish knows no chunk_s"):
        load(saved(tmp_path, state(plain(parity))), chunk_s=2.0)
