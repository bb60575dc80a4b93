"""Models by the name that a config gives."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from abaw_jax.problems import one_of

MODELS = {
    "temporal_fusion": "TemporalFusion",
    "expr_dilated_fusion": "ExprDilatedFusion",
    "va_interactive": "VaInteractive",
    "expr_text_guided": "ExprTextGuided",
    "va_soft_prompt": "VaSoftPrompt",
    "masked_transformer": "MaskedTransformer",
    "au_local_global": "AuLocalGlobal",
}
"""File of a model ▶ its class."""


def make_model(name: str, settings: Mapping[str, Any], **given: Any) -> nn.Module:
    """The model of a name; settings that it does not know are an error with those that it has."""
    one_of("model.name", name, MODELS)
    model = getattr(importlib.import_module(f"abaw_jax.models.{name}"), MODELS[name])
    not_settings = {"parent", "name", *given}
    known = [field.name for field in dataclasses.fields(model) if field.name not in not_settings]
    if unknown := sorted(settings.keys() - set(known)):
        raise ValueError(f"model.{unknown[0]}: {name} knows no such setting; it has {', '.join(known)}")
    return model(**settings, **given)
