"""Prompts as features: a few sentences encoded once and kept in the store like everything else."""

import hashlib
import json
from collections.abc import Sequence

import jax
import numpy as np
from ml_collections import ConfigDict

from abaw_jax.encoders.load import load
from abaw_jax.prompts import PROMPTS
from abaw_jax.store.features import Feature, Store
from abaw_jax.store.spec import FeatureSpec, Grid


def read_words(config: ConfigDict) -> np.ndarray:
    """The vectors of the prompts that a config names."""
    text = config.text
    if text.prompts not in PROMPTS:
        there = ", ".join(("none", *PROMPTS))
        raise ValueError(f"text.prompts: found {text['prompts']!r}, expected one of: {there}")
    return np.asarray(prompt_features(Store(config.store.root), text.encoder, PROMPTS[text.prompts]).values)


def prompt_features(store: Store, encoder: str, prompts: Sequence[str], dtype: str = "float32") -> Feature:
    """One vector a prompt, in their order; encoded only if the store lacks these prompts of this encoder."""
    if not prompts:
        raise ValueError("found no prompts, expected at least one")
    tower = load(encoder, view="text", dtype=dtype)
    features = store.create(FeatureSpec(tower.name, tower.shape, Grid(), tower.identity, dtype="float32"))
    made_from = {"kind": "text", "prompts": list(prompts)}
    name = "prompts-" + hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()[:12]
    if features.difference(name, made_from) is not None:
        ids = np.stack([tower.preprocess(prompt) for prompt in prompts])
        writer = features.writer(name, len(prompts))
        writer.append(np.asarray(jax.jit(tower.apply)(tower.variables, ids)))
        writer.commit(made_from)
    return features.read(name, made_from)
