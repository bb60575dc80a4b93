"""Reference models with weights that leave nothing out, saved to disk; and comparison block by block."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from abaw_jax.encoders.hub import open_checkpoint
from abaw_jax.encoders.naming import NUMBERED, Spelling, load_variables, template_of

BLOCK, WHOLE = 1e-5, 1e-4
"""Largest error in float32 of a block and of a network, as a share of the largest value or of 1."""
BFLOAT16 = 2e-2
"""Largest relative L2 of a network in bfloat16; nor may it be 1.5 times that of torch's own bfloat16."""
FROM_TORCH = {4: (0, 2, 3, 1), 3: (0, 2, 1)}


@pytest.fixture(autouse=True)
def exact_products():
    with jax.default_matmul_precision("highest"):
        yield


def error(ours, theirs) -> float:
    """Largest difference, as a share of the reference's largest value or of 1."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all()
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))


def relative_l2(ours, theirs) -> float:
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


class Parity:
    """One reference model after another, against ours loaded from the files that it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, model, seed: int = 0) -> Path:
        """Randomise a reference model and save it in its own format."""
        randomise(model, seed).save_pretrained(self.folder / type(model).__name__)
        return self.folder / type(model).__name__

    def randomise(self, model, seed: int = 0):
        """A reference model that saves no format of its own."""
        return randomise(model, seed)

    def variables(self, folder: Path, spelling: Spelling, module, *inputs: Any):
        """Ours, through the loader."""
        found = load_variables(template_of(module.init, *inputs), open_checkpoint(folder), spelling)
        return jax.tree.map(jnp.asarray, found)

    def blocks(self, ours: Callable, model, theirs: Callable, rename=lambda name: name) -> dict[str, float]:
        """Errors of every block that both sides have, each held to `BLOCK`.

        `ours` takes the keywords of `apply` that capture intermediates; `theirs` runs `model`.
        """
        _, captured = ours(capture_intermediates=True, mutable=["intermediates"])
        mine = our_blocks(captured["intermediates"])
        reference = {rename(name): value for name, value in reference_blocks(model, theirs).items()}
        errors = {}
        for name in mine.keys() & reference.keys():
            value = reference[name]
            if value.squeeze().shape != mine[name].squeeze().shape:
                value = value.transpose(FROM_TORCH[value.ndim])
            errors[name] = error(mine[name].squeeze(), value.squeeze())
        worst = {name: e for name, e in errors.items() if e > BLOCK}
        assert not worst, worst
        return errors

    def whole(self, ours, theirs) -> float:
        found = error(ours, theirs)
        assert found <= WHOLE
        return found

    def bfloat16(self, ours, theirs_bfloat16, theirs_float32) -> float:
        """Ours in bfloat16 is near, and not much further off than torch's."""
        found = relative_l2(ours, theirs_float32)
        assert found <= BFLOAT16
        assert found <= 1.5 * relative_l2(theirs_bfloat16, theirs_float32)
        return found


@pytest.fixture
def parity(tmp_path: Path) -> Parity:
    return Parity(tmp_path)


def randomise(model, seed: int = 0):
    """Every parameter and statistic away from what hides a mistake: no zero bias, no unit scale."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                value.copy_(1 + noise.abs())
            elif value.ndim >= 2 and value[0].numel() > 1 and len(value) > 1:
                value.copy_(noise / value[0].numel() ** 0.5)
            else:
                is_scale = name.endswith(("weight", "original0", "weight_g", "layer_scale_parameter"))
                value.copy_(is_scale * 1.0 + 0.2 * noise)
    return model.eval()


def reference_blocks(model, run: Callable) -> dict[str, np.ndarray]:
    """What each submodule of a torch model put out while `run` ran."""
    import torch

    seen: dict[str, np.ndarray] = {}

    def watch(name: str):
        def hook(module, inputs, output):
            first = output[0] if isinstance(output, tuple) else output
            if isinstance(first, torch.Tensor):
                seen[name] = first.detach().float().numpy().copy()

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return seen


def our_blocks(intermediates) -> dict[str, np.ndarray]:
    """What each of our submodules put out, by the name of its twin in the file."""
    blocks = {}
    for path, values in flatten_dict(intermediates).items():
        if path[-1] == "__call__" and len(path) > 1:
            value = values[0][0] if isinstance(values[0], tuple) else values[0]
            blocks[".".join(NUMBERED.sub(r".\1", module) for module in path[:-1])] = np.asarray(value)
    return blocks
