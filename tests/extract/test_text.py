"""Prompts lie in the store like everything else: encoded once, and never taken for other prompts."""

from pathlib import Path

import jax
import numpy as np
import pytest

from abaw_jax.encoders.load import load
from abaw_jax.extract import text
from abaw_jax.extract.text import prompt_features
from abaw_jax.store.features import Features, Store
from tests.encoders.tiny_tokenizer import END_ID, TOKENS, write_tokenizer
from tests.extract import conftest

PROMPTS = ("a happy face", "sad", "happy")


@pytest.fixture
def clip(tmp_path: Path, monkeypatch) -> str:
    texts = conftest.TOWER | {
        "vocab_size": len(TOKENS), "max_position_embeddings": 12, "eos_token_id": END_ID,
    }  # fmt: skip
    monkeypatch.setitem(conftest.CLIP, "text_config", texts)
    return str(write_tokenizer(conftest.write_clip(tmp_path / "clip")))


def test_each_prompt_has_its_own_vector_in_the_order_asked_for(clip: str, tmp_path: Path):
    found = prompt_features(Store(tmp_path / "store"), clip, PROMPTS)
    assert found.values.shape == (3, 12) and found.present.all()
    encoder = load(clip, view="text")
    for vector, prompt in zip(found.values, PROMPTS, strict=True):
        alone = jax.jit(encoder.apply)(encoder.variables, encoder.preprocess(prompt)[None])
        np.testing.assert_allclose(vector, alone[0], rtol=1e-5, atol=1e-6)


def test_prompts_are_encoded_once(clip: str, tmp_path: Path, monkeypatch):
    store = Store(tmp_path / "store")
    first = prompt_features(store, clip, PROMPTS)
    monkeypatch.setattr(text.jax, "jit", None)  # nothing may be computed
    again = prompt_features(store, clip, PROMPTS)
    np.testing.assert_array_equal(again.values, first.values)


def test_other_prompts_and_another_order_are_other_features(clip: str, tmp_path: Path):
    store = Store(tmp_path / "store")
    first = prompt_features(store, clip, PROMPTS)
    turned = prompt_features(store, clip, PROMPTS[::-1])
    np.testing.assert_array_equal(turned.values, first.values[::-1])
    assert len({found.manifest["track"] for found in (first, turned)}) == 2


def test_no_prompts_are_an_error(clip: str, tmp_path: Path):
    with pytest.raises(ValueError, match="expected at least one"):
        prompt_features(Store(tmp_path), clip, ())


@pytest.mark.parametrize("is_there", [True, False])
def test_a_run_that_was_faster_is_believed(is_there: bool, clip: str, tmp_path: Path, monkeypatch):
    store = Store(tmp_path / "store")

    def late(*_):
        monkeypatch.undo()
        if is_there:
            prompt_features(store, clip, PROMPTS)
        raise FileNotFoundError("cleared by another run")

    monkeypatch.setattr(Features, "writer", late)
    if is_there:
        assert prompt_features(store, clip, PROMPTS).present.all()
    else:
        with pytest.raises(FileNotFoundError, match="cleared by another run"):
            prompt_features(store, clip, PROMPTS)
