"""The weights come from checked files only, and the networks compute with them what a plain loop computes."""

import hashlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import joblib
import numpy as np
import pytest

from abaw_jax.faces import weights
from abaw_jax.nn.backbones.mtcnn import ONet, PNet, RNet
from abaw_jax.problems import UnusableFile

FOLDER = weights._wheel_folder()


def raw(network: str) -> list[np.ndarray]:
    """The file's own list, checked like everywhere."""
    data = (FOLDER / f"{network}.lz4").read_bytes()
    assert hashlib.sha256(data).hexdigest() == weights.SHA256[network]
    return [np.asarray(array, np.float64) for array in joblib.load(io.BytesIO(data))]


class Reference:
    """Layers in float64, one window at a time, that take their arrays from the file in its order."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.arrays = iter(arrays)

    def conv(self, x: np.ndarray) -> np.ndarray:
        kernel, bias = next(self.arrays), next(self.arrays)
        size = kernel.shape[0]
        out = np.empty((x.shape[0] - size + 1, x.shape[1] - size + 1, kernel.shape[3]))
        for row, column in np.ndindex(out.shape[:2]):
            out[row, column] = np.tensordot(x[row : row + size, column : column + size], kernel, 3) + bias
        return out

    def prelu(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, x * next(self.arrays).reshape(-1))

    def dense(self, x: np.ndarray) -> np.ndarray:
        return x @ next(self.arrays) + next(self.arrays)

    def pool(self, x: np.ndarray, size: int, is_same: bool = True) -> np.ndarray:
        lengths = [-(-n // 2) if is_same else (n - size) // 2 + 1 for n in x.shape[:2]]
        out = np.empty((*lengths, x.shape[2]))
        # padding goes to the end first, and with strides of two at most one goes before
        before = [max((m - 1) * 2 + size - n, 0) // 2 for m, n in zip(lengths, x.shape[:2], strict=True)]
        for row, column in np.ndindex(*lengths):
            top, left = 2 * row - before[0], 2 * column - before[1]
            window = x[max(top, 0) : top + size, max(left, 0) : left + size]
            out[row, column] = window.max(axis=(0, 1))
        return out


def flat(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x[row, column] for column in range(x.shape[1]) for row in range(x.shape[0])])


def face(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(logits[..., 0] - logits[..., 1]))


def pnet(ref: Reference, x: np.ndarray) -> tuple[np.ndarray, ...]:
    x = ref.pool(ref.prelu(ref.conv(x)), 2)
    x = ref.prelu(ref.conv(ref.prelu(ref.conv(x))))
    return ref.conv(x), face(ref.conv(x))


def rnet(ref: Reference, x: np.ndarray) -> tuple[np.ndarray, ...]:
    x = ref.pool(ref.prelu(ref.conv(x)), 3)
    x = ref.pool(ref.prelu(ref.conv(x)), 3, is_same=False)
    x = ref.prelu(ref.dense(flat(ref.prelu(ref.conv(x)))))
    return ref.dense(x), face(ref.dense(x))


def onet(ref: Reference, x: np.ndarray) -> tuple[np.ndarray, ...]:
    x = ref.pool(ref.prelu(ref.conv(x)), 3)
    x = ref.pool(ref.prelu(ref.conv(x)), 3, is_same=False)
    x = ref.pool(ref.prelu(ref.conv(x)), 2)
    x = ref.prelu(ref.dense(flat(ref.prelu(ref.conv(x)))))
    boxes, points, logits = ref.dense(x), ref.dense(x), ref.dense(x)
    return boxes, face(logits), np.stack([points[:5], points[5:]], axis=1)


@pytest.mark.parametrize(
    ("name", "module", "reference", "shape"),
    [
        ("pnet", PNet, pnet, (17, 22)),
        ("rnet", RNet, rnet, (24, 24)),
        ("onet", ONet, onet, (48, 48)),
    ],
)
def test_the_networks_compute_what_plain_loops_compute(name, module, reference, shape):
    images = jnp.asarray(np.random.default_rng(7).uniform(-1, 1, (2, *shape, 3)), jnp.float32)
    with jax.default_matmul_precision("highest"):
        outputs = module().apply({"params": weights.load(name)}, images)
    for k, image in enumerate(images):
        arrays = Reference(raw(name))
        for ours, theirs in zip(outputs, reference(arrays, np.asarray(image, np.float64)), strict=True):
            np.testing.assert_allclose(ours[k], theirs, atol=1e-4)
        assert next(arrays.arrays, None) is None


@pytest.mark.parametrize(("name", "module"), [("pnet", PNet), ("rnet", RNet), ("onet", ONet)])
def test_every_parameter_is_in_the_file_and_nothing_else(name, module):
    size = {"pnet": 12, "rnet": 24, "onet": 48}[name]
    wanted = jax.eval_shape(module().init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    found = weights.load(name)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, wanted["params"])


def test_a_changed_file_is_refused_unopened(tmp_path: Path):
    path = shutil.copy(FOLDER / "pnet.lz4", tmp_path)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
    with pytest.raises(UnusableFile) as caught:
        weights.load("pnet", tmp_path)
    message = str(caught.value)
    assert path in message
    assert hashlib.sha256(data).hexdigest() in message
    assert weights.SHA256["pnet"] in message
    assert "pip install" in message


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    joblib.dump(Trap(), tmp_path / "onet.lz4", compress=("lz4", 3))
    with pytest.raises(UnusableFile):
        weights.load("onet", tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_missing_file_and_a_missing_wheel_tell_what_to_install(tmp_path: Path, monkeypatch):
    with pytest.raises(UnusableFile, match=r"rnet\.lz4.*pip install.*mtcnn==1\.0\.0"):
        weights.load("rnet", tmp_path)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnusableFile, match=r"mtcnn.*pip install"):
        weights.load("rnet")


def test_the_wheel_is_never_imported():
    code = (
        "import sys; from abaw_jax.faces.weights import load; load('pnet');"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'mtcnn', 'tensorflow'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
