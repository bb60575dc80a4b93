"""What holds for every encoder with weights, on tiny checkpoints that we write ourselves: no torch needed."""

import importlib.util
import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from abaw_jax.encoders.encoder import Encoder
from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import KINDS, load
from tests.encoders.tiny_checkpoints import CONFIGS, NETWORKS, Arrays, arrays_of, tiny_checkpoint

__all__ = ["tiny_checkpoint"]

ENCODERS = [kind for kind in KINDS if importlib.util.find_spec(f"abaw_jax.encoders.{KINDS[kind]}")]


def inputs_of(encoder: Encoder, count: int = 2) -> jax.Array:
    """What its own preprocessing makes of noise."""
    rng = np.random.default_rng(1)
    if encoder.modality == "face":
        sources = rng.integers(0, 256, (count, 112, 112, 3), np.uint8)
    else:
        sources = 0.1 * rng.standard_normal((count, encoder.hearing.chunk)).astype(np.float32)
    return jnp.asarray(np.stack([encoder.preprocess(source) for source in sources]))


def assert_same_weights(ours: Encoder, theirs: Encoder) -> None:
    jax.tree.map(np.testing.assert_array_equal, ours.variables, theirs.variables)


def test_every_registered_kind_has_a_tiny_checkpoint():
    assert set(CONFIGS) == set(NETWORKS) == set(KINDS)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_encoder_keeps_its_word(dtype: str, kind: str, tiny_checkpoint):
    encoder = load(tiny_checkpoint(kind), dtype=dtype)
    batch = inputs_of(encoder)
    assert batch.shape[1:] == encoder.input_shape
    assert batch.dtype == encoder.input_dtype
    out = jax.jit(encoder.apply)(encoder.variables, batch)
    vectors = () if encoder.hearing is None else (encoder.hearing.vectors,)
    assert out.shape == (2, *vectors, *encoder.shape)
    assert out.dtype == jnp.float32
    assert np.isfinite(out).all() and np.ptp(np.asarray(out), axis=0).any()


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_changes_features_changes_the_identity(kind: str, tiny_checkpoint, tmp_path):
    encoder = load(tiny_checkpoint(kind))
    first = json.dumps(encoder.identity)
    assert encoder.identity["weights"] and encoder.identity["view"] and encoder.identity["revision"]
    path = tmp_path / kind / "model.safetensors"
    save_file({key: np.asarray(value + np.float32(0.1)) for key, value in arrays_of(kind).items()}, path)
    assert json.dumps(load(tmp_path / kind).identity) != first


def without_one(arrays: Arrays) -> Arrays:
    return dict(list(arrays.items())[1:])


def with_one_more(arrays: Arrays) -> Arrays:
    return arrays | {"head.weight": np.zeros((2, 2), np.float32)}


def with_one_longer(arrays: Arrays) -> Arrays:
    key = next(key for key, value in arrays.items() if value.ndim)
    return arrays | {key: np.concatenate([arrays[key], arrays[key]])}


def with_integers(arrays: Arrays) -> Arrays:
    key = next(iter(arrays))
    return arrays | {key: arrays[key].astype(np.int32)}


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_one, r"the file lacks 1 keys: \S+$"),
        (with_one_more, r"the file has unknown 1 keys: head.weight"),
        (with_one_longer, r": found shape \(.*\), expected \(.*\) as config.json has it"),
        (with_integers, r": found int32, expected floating point"),
    ],
)
def test_weights_that_do_not_fit_are_named(change, message: str, kind: str, tiny_checkpoint):
    folder = tiny_checkpoint(kind, change)
    with pytest.raises(UnusableWeights, match=message) as raised:
        load(folder)
    assert str(raised.value).startswith(str(folder))


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_files_of_half_precision_are_the_weights_rounded(dtype, kind: str, tiny_checkpoint, tmp_path):
    folder = tiny_checkpoint(kind, lambda arrays: {key: value.astype(dtype) for key, value in arrays.items()})
    halves = load(folder)
    rounded = {key: value.astype(dtype).astype(np.float32) for key, value in arrays_of(kind).items()}
    save_file(rounded, folder / "model.safetensors")
    assert_same_weights(halves, load(folder))


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_sharded_file_is_the_whole_file(kind: str, tiny_checkpoint):
    folder, arrays = tiny_checkpoint(kind), arrays_of(kind)
    whole = load(folder)
    (folder / "model.safetensors").unlink()
    shards = {key: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, key in enumerate(arrays)}
    for name in set(shards.values()):
        save_file({key: arrays[key] for key in arrays if shards[key] == name}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert_same_weights(load(folder), whole)


@pytest.mark.parametrize("kind", ENCODERS)
def test_broken_folders_are_named(kind: str, tiny_checkpoint):
    folder = tiny_checkpoint(kind)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(UnusableWeights, match=r"model.safetensors: unreadable safetensors"):
        load(folder)
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(UnusableWeights, match=r"found only pytorch_model.bin, a pickle"):
        load(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../pytorch_model.bin"}}))
    with pytest.raises(UnusableWeights, match=r"found '../pytorch_model.bin', expected a file name"):
        load(folder)


def test_an_unknown_model_type_is_named_with_those_there_are(tiny_checkpoint):
    folder = tiny_checkpoint("vit")
    (folder / "config.json").write_text(json.dumps({"model_type": "swin"}))
    with pytest.raises(UnusableWeights, match=r"found model_type 'swin', expected one of: clip, whisper, "):
        load(folder)


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_unknown_view_is_named_with_those_there_are(kind: str, tiny_checkpoint):
    folder = tiny_checkpoint(kind)
    with pytest.raises(ValueError, match=rf"{KINDS[kind]} has no view 'nose'.*expected .*\w{{3}}"):
        load(folder, view="nose")


@pytest.mark.parametrize("kind", ENCODERS)
def test_options_of_the_other_modality_are_refused(kind: str, tiny_checkpoint):
    folder = tiny_checkpoint(kind)
    is_face = load(folder).modality == "face"
    for name, value in (
        {"chunk_s": 3.0, "is_causal": True}.items() if is_face else {"region": "mouth"}.items()
    ):
        with pytest.raises(ValueError, match=rf"{KINDS[kind]} knows no {name}; found {value!r}"):
            load(folder, **{name: value})


@pytest.mark.parametrize("kind", ["clip", "convnext", "convnextv2", "vit", "resnet", "iresnet"])
def test_a_region_of_the_face_is_what_is_seen(kind: str, tiny_checkpoint):
    folder = tiny_checkpoint(kind)
    face = np.zeros((100, 100, 3), np.uint8)
    face[:60] = 255
    whole, mouth = load(folder), load(folder, region="mouth")
    assert whole.preprocess(face).max() == 255
    assert mouth.preprocess(face).max() == 0
    assert mouth.identity != whole.identity


def test_a_preprocessor_of_another_size_than_the_network_is_refused(tiny_checkpoint):
    folder = tiny_checkpoint("vit")
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 48, "width": 48}}))
    with pytest.raises(UnusableWeights, match=r"found a size of \(48, 48\), expected \(32, 32\)"):
        load(folder)


@pytest.mark.parametrize("key", ["do_resize", "do_center_crop"])
def test_a_preprocessor_that_makes_no_one_size_is_refused(key: str, tiny_checkpoint):
    folder = tiny_checkpoint("clip")
    (folder / "preprocessor_config.json").write_text(json.dumps({key: False}))
    with pytest.raises(UnusableWeights, match=f"found {key}=false"):
        load(folder)
