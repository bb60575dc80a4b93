"""A network that has learnt nothing yet, by what its folder says of it."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders.blank import open_blank
from abaw_jax.encoders.load import TINY, open_named
from abaw_jax.nn.backbones.clip import CLIP
from abaw_jax.nn.backbones.whisper import WhisperEncoder
from tests.encoders.tiny_shapes import write_clip_shape, write_whisper_shape


def test_images_are_normalised_as_the_folder_says(tmp_path: Path):
    blank = open_blank(write_clip_shape(tmp_path, ["a face"]), jnp.float32)
    assert (blank.kind, type(blank.network)) == ("clip", CLIP)
    images = jnp.full((1, 16, 16, 3), 255, jnp.uint8).at[0, 0, 0].set(0)
    found = blank.prepare(images)
    np.testing.assert_allclose(found[0, 0, 0], -2, atol=1e-6)  # (0 - 0.5) / 0.25
    np.testing.assert_allclose(found[0, 1, 1], 2, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_sound_goes_in_as_the_network_computes(dtype, tmp_path: Path):
    blank = open_blank(write_whisper_shape(tmp_path), dtype)
    assert (blank.kind, type(blank.network)) == ("whisper", WhisperEncoder)
    assert blank.network.dtype == blank.prepare(jnp.zeros((1, 4, 80), jnp.float16)).dtype == dtype


def test_what_cannot_be_trained_is_refused_with_what_can(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ValueError, match="has no model_type 'vit'; expected one of: clip, whisper"):
        open_blank(tmp_path, jnp.float32)


@pytest.mark.parametrize("name", TINY)
def test_the_packages_own_are_opened_by_their_names(name: str):
    checkpoint = open_named(name)
    assert checkpoint.name == name
    assert open_blank(name, jnp.float32).kind == checkpoint.config["model_type"] == TINY[name]
