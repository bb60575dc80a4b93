"""What is written loads, here and in the reference, and computes what was trained."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open

from abaw_jax.encoders.blank import open_blank
from abaw_jax.encoders.clip import token_ids
from abaw_jax.encoders.export import write_encoder
from abaw_jax.encoders.load import TINY, load, open_named
from tests.encoders.tiny_shapes import drawn, write_clip_shape, write_whisper_shape

PROMPTS = ["a happy face", "sad", "unheard of"]
NOTES = {"trained": "here", "scores": {"r2": 0.5}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """(folder that was written, its module, parameters as float16 has them)"""
    shape = write_clip_shape(tmp_path_factory.mktemp("clip-shape"), PROMPTS[:2])
    module = open_blank(shape, jnp.float32).network
    params = drawn(module.init, jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 16), jnp.int32))["params"]
    out = tmp_path_factory.mktemp("clip") / "new"
    write_encoder(params, "", open_named(shape), out, NOTES)
    return out, module, jax.tree.map(lambda x: x.astype(jnp.float16).astype(jnp.float32), params)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """(folder that was written, its module, parameters as float16 has them)"""
    shape = write_whisper_shape(tmp_path_factory.mktemp("whisper-shape"))
    module = open_blank(shape, jnp.float32).network
    params = drawn(module.init, jnp.zeros((1, 100, 80)))["params"]
    out = tmp_path_factory.mktemp("whisper")
    write_encoder(params, "model.encoder.", open_named(shape), out, NOTES)
    return out, module, jax.tree.map(lambda x: x.astype(jnp.float16).astype(jnp.float32), params)


def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)


def pixels() -> jax.Array:
    return (jnp.asarray(faces()) / 255 - 0.5) / 0.25


def test_a_clip_that_was_written_is_the_one_that_was_trained(clip):
    folder, module, params = clip
    encoder = load(folder)
    ours = jax.jit(encoder.apply)(encoder.variables, np.stack([encoder.preprocess(face) for face in faces()]))
    wanted = jax.jit(lambda p, x: module.apply({"params": p}, x, method="encode_image"))(params, pixels())
    np.testing.assert_allclose(ours, wanted["image"], atol=1e-5)
    encoder = load(folder, view="text")
    ids = np.stack([encoder.preprocess(prompt) for prompt in PROMPTS])
    ours = jax.jit(encoder.apply)(encoder.variables, ids)
    wanted = jax.jit(lambda p, x: module.apply({"params": p}, x, method="encode_text"))(params, ids)
    np.testing.assert_allclose(ours, wanted["text"], atol=1e-5)
    assert np.abs(ours[0] - ours[2]).max() > 0.05


def test_a_whisper_that_was_written_is_the_one_that_was_trained(whisper):
    folder, module, params = whisper
    encoder = load(folder)
    assert encoder.hearing.chunk == 16_000, "its default chunk is as long as its places go"
    sound = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    mel = jnp.asarray(encoder.preprocess(sound)[None])
    ours = jax.jit(encoder.apply)(encoder.variables, mel)
    wanted = jax.jit(lambda p, x: module.apply({"params": p}, x)[-1])(params, mel)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_all_that_belongs_beside_the_weights_is_there_and_nothing_else(clip, whisper):
    around = {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "tokenizer_config.json"}
    assert {path.name for path in clip[0].iterdir()} == {*around, "model.safetensors"}
    assert {path.name for path in whisper[0].iterdir()} == {"config.json", "model.safetensors"}


def test_the_file_says_where_it_is_from_and_holds_half_precision(clip):
    with safe_open(clip[0] / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt", "trained": '"here"', "scores": '{"r2": 0.5}'}
        assert file.get_tensor("logit_scale").shape == ()
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118  it is no dict
        assert kinds == {np.dtype(np.float16)}


def test_the_same_weights_are_the_same_bytes_and_a_folder_may_be_written_over_itself(clip, tmp_path: Path):
    folder, _, params = clip
    write_encoder(params, "", open_named(folder), tmp_path, NOTES)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(5):
        write_encoder(params, "", open_named(tmp_path), tmp_path, NOTES)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_numbers_that_float16_does_not_have_are_refused(value: float, clip, tmp_path: Path):
    folder, _, params = clip
    spoilt = {**params, "logit_scale": jnp.float32(value)}
    with pytest.raises(ValueError, match=r"logit_scale: found .*expected numbers that float16 has"):
        write_encoder(spoilt, "", open_named(folder), tmp_path / "new", NOTES)
    assert not list((tmp_path / "new").glob("model*"))


def features(found) -> np.ndarray:
    """The reference gives an output or its tensor."""
    return getattr(found, "pooler_output", found).numpy()


@pytest.mark.parity
def test_the_reference_reads_the_clip_key_by_key(clip):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder, module, params = clip
    model, told = transformers.CLIPModel.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32
    )
    assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    checkpoint = open_named(folder)
    ids = token_ids(checkpoint, module.config.text, PROMPTS)
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    images = processor(list(faces()), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        image = features(model.get_image_features(images))
        text = features(model.get_text_features(**tokenizer(PROMPTS, padding=True, return_tensors="pt")))
    ours = jax.jit(module.apply)({"params": params}, pixels(), ids)
    np.testing.assert_allclose(ours["image"], image, atol=1e-5)
    np.testing.assert_allclose(ours["text"], text, atol=1e-5)
    np.testing.assert_allclose(ours["logit_scale"], model.logit_scale.detach().numpy())


@pytest.mark.parity
def test_the_reference_reads_the_encoder_of_the_whisper(whisper):
    """Its decoder it has to make up: there is none in the file."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder, module, params = whisper
    model, told = transformers.WhisperModel.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32
    )
    assert all(key.startswith("decoder.") for key in told["missing_keys"])
    assert not told["unexpected_keys"] and not told["mismatched_keys"]
    mel = np.random.default_rng(0).standard_normal((2, 100, 80)).astype(np.float32)
    with torch.no_grad():
        theirs = model.eval().encoder(torch.tensor(mel).transpose(1, 2)).last_hidden_state
    ours = jax.jit(lambda p, x: module.apply({"params": p}, x)[-1])(params, mel)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("name", TINY)
def test_the_reference_builds_what_the_packages_own_folders_describe(name: str):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.AutoConfig.from_pretrained(open_named(name).folder)
    with torch.device("meta"):
        assert transformers.AutoModel.from_config(config).config.architectures
