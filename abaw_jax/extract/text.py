"""Prompts as features: a few sentences encoded once and kept in the store like everything else."""

import hashlib
import json
from collections.abc import Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from abaw_jax.encoders.load import load
from abaw_jax.prompts import PROMPTS
from abaw_jax.store.features import Feature, Store
from abaw_jax.store.spec import FeatureSpec, Grid


def read_words(root: str, prompts: str, encoder: str) -> np.ndarray:
    """The vectors of the prompts of a name, from the store at `root` or into it."""
    wanted = Store(root), encoder, PROMPTS[prompts]
    if jax.process_count() > 1:  # one makes them, and all read them
        if jax.process_index() == 0:
            prompt_features(*wanted)
        multihost_utils.sync_global_devices("words are there")
    return np.asarray(prompt_features(*wanted).values)


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
        vectors = np.asarray(jax.jit(tower.apply)(tower.variables, ids))
        try:
            writer = features.writer(name, len(prompts))
            writer.append(vectors)
            writer.commit(made_from)
        except FileNotFoundError:  # another run was faster, and cleared what it took for a dead one's
            if features.difference(name, made_from) is not None:
                raise
    return features.read(name, made_from)
