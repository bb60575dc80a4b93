"""Networks at the sizes that people use, against their references, with random weights; errors are printed.

A new network is a row of CASES.
"""

import dataclasses
import gc
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.encoders import ast, clip, convnext, resnet, vit, wav2vec2, whisper
from abaw_jax.encoders.hub import open_checkpoint
from abaw_jax.encoders.naming import Spelling
from abaw_jax.nn.backbones.ast import AST
from abaw_jax.nn.backbones.ast import Config as ASTConfig
from abaw_jax.nn.backbones.clip import CLIP
from abaw_jax.nn.backbones.clip import Config as CLIPConfig
from abaw_jax.nn.backbones.convnext import Config as ConvNeXtConfig
from abaw_jax.nn.backbones.convnext import ConvNeXt
from abaw_jax.nn.backbones.resnet import Config as ResNetConfig
from abaw_jax.nn.backbones.resnet import ResNet
from abaw_jax.nn.backbones.vit import Config as ViTConfig
from abaw_jax.nn.backbones.vit import ViT
from abaw_jax.nn.backbones.wav2vec2 import Config as Wav2Vec2Config
from abaw_jax.nn.backbones.wav2vec2 import Wav2Vec2
from abaw_jax.nn.backbones.whisper import Config as WhisperConfig
from abaw_jax.nn.backbones.whisper import WhisperEncoder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.parity, pytest.mark.full]

Outputs = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """One network, here and there."""

    reference: Callable[[], Any]
    network: Callable[[dict[str, Any]], nn.Module]
    """Ours, from what `config.json` says."""
    spelling: Spelling
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    """In our layout; the reference gets the same as tensors."""
    theirs: Callable[..., Outputs]
    """The reference's outputs by our names and in our layout."""
    named: Callable[[Any], Outputs] = lambda out: out
    """Our outputs by name, where the network does not name them itself."""


def faces(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    return (rng.standard_normal((2, 224, 224, 3)).astype(np.float32),)


def faces_and_prompts(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    ids = rng.integers(1000, 40_000, (2, 77), np.int32)
    ids[0, 9:], ids[1, 76:] = 49_407, 49_407
    return (*faces(rng), ids)


def clip_model(patch: int, text: dict[str, int], vision: dict[str, int], common: int):
    config = transformers.CLIPConfig(
        text_config=text | {"eos_token_id": 49_407},
        vision_config=vision | {"patch_size": patch},
        projection_dim=common,
    )
    return transformers.CLIPModel(config)


BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
SMALL_TEXT = {"hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048}
BASE_TEXT = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}


def clip_outputs(model, images, ids) -> Outputs:
    seen, read = model.vision_model(images.permute(0, 3, 1, 2)), model.text_model(ids.long())
    return {
        "image": model.visual_projection(seen.pooler_output),
        "text": model.text_projection(read.pooler_output),
        "patches": seen.last_hidden_state[:, 1:],
    }


def vit_outputs(model, images) -> Outputs:
    out = model(images.permute(0, 3, 1, 2))
    return {"tokens": out.last_hidden_state, "pooler": out.pooler_output}


def map_outputs(model, images) -> Outputs:
    out = model(images.permute(0, 3, 1, 2))
    return {"pooled": out.pooler_output.flatten(1), "grid": out.last_hidden_state.permute(0, 2, 3, 1)}


def clip_case(*sizes) -> Case:
    return Case(
        partial(clip_model, *sizes),
        lambda config: CLIP(CLIPConfig.from_json(config)),
        clip.SPELLING,
        faces_and_prompts,
        clip_outputs,
    )


def noise(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray, ...]]:
    return lambda rng: (rng.standard_normal(shape).astype(np.float32),)


def by_layer(states) -> Outputs:
    """What goes into the first layer, what comes from one in the middle, and the last."""
    return {"0": states[0], "6": states[6], "last": states[-1]}


def whisper_model(width: int, layers: int, heads: int):
    config = transformers.WhisperConfig(
        vocab_size=100, d_model=width, encoder_layers=layers, encoder_attention_heads=heads,
        encoder_ffn_dim=4 * width, decoder_layers=1, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    return transformers.WhisperModel(config)


def whisper_outputs(model, mel) -> Outputs:
    return by_layer(model.encoder(mel.transpose(1, 2), output_hidden_states=True).hidden_states)


def wav2vec2_outputs(model, sound) -> Outputs:
    out = model(sound, output_hidden_states=True)
    return by_layer([*out.hidden_states[:-1], out.last_hidden_state])


def wav2vec2_case(**sizes) -> Case:
    return Case(
        lambda: transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**sizes)),
        lambda config: Wav2Vec2(Wav2Vec2Config.from_json(config)),
        wav2vec2.SPELLING,
        noise(1, 160_080),
        wav2vec2_outputs,
        by_layer,
    )


CASES = {
    "clip-vit-b-32": clip_case(32, SMALL_TEXT, BASE, 512),
    "clip-vit-b-16": clip_case(16, SMALL_TEXT, BASE, 512),
    "clip-vit-l-14": clip_case(14, BASE_TEXT, LARGE, 768),
    "vit-b-16": Case(
        lambda: transformers.ViTModel(transformers.ViTConfig()),
        lambda config: ViT(ViTConfig.from_json(config)),
        vit.SPELLING,
        faces,
        vit_outputs,
    ),
    "convnext-b": Case(
        lambda: transformers.ConvNextModel(
            transformers.ConvNextConfig(depths=[3, 3, 27, 3], hidden_sizes=[128, 256, 512, 1024])
        ),
        lambda config: ConvNeXt(ConvNeXtConfig.from_json(config)),
        convnext.SPELLING,
        faces,
        map_outputs,
    ),
    "resnet-50": Case(
        lambda: transformers.ResNetModel(transformers.ResNetConfig()),
        lambda config: ResNet(ResNetConfig.from_json(config)),
        resnet.SPELLING,
        faces,
        map_outputs,
    ),
    "whisper-small": Case(
        partial(whisper_model, 768, 12, 12),
        lambda config: WhisperEncoder(WhisperConfig.from_json(config)),
        whisper.SPELLING,
        noise(1, 3000, 80),
        whisper_outputs,
        by_layer,
    ),
    "wav2vec2-base": wav2vec2_case(**BASE),
    "wav2vec2-large": wav2vec2_case(
        **LARGE, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
    ),
    "ast": Case(
        lambda: transformers.ASTModel(transformers.ASTConfig()),
        lambda config: AST(ASTConfig.from_json(config)),
        ast.SPELLING,
        noise(1, 1024, 128),
        lambda model, mel: {"tokens": model(mel).last_hidden_state},
        lambda tokens: {"tokens": tokens},
    ),
}


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines that are printed when all networks are done."""
    lines: list[str] = []
    yield lines
    plugins = request.config.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        for line in lines:
            reporter.write_line(f"full-size parity: {line}")


def reference_outputs(case: Case, inputs: tuple[np.ndarray, ...], parity):
    """(folder of the weights, outputs): the model is let go, as two of the large ones would not fit."""
    model = case.reference()
    folder = parity.save(model)
    with torch.no_grad():
        found = case.theirs(model, *map(torch.tensor, inputs))
    return folder, {name: value.numpy() for name, value in found.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_network_of_full_size_agrees_with_its_reference(name: str, parity, table: list[str]):
    case = CASES[name]
    inputs = case.inputs(np.random.default_rng(0))
    folder, theirs = reference_outputs(case, inputs, parity)
    gc.collect()
    module = case.network(open_checkpoint(folder).config)
    variables = parity.variables(folder, case.spelling, module, *inputs)
    shutil.rmtree(folder)
    ours = case.named(jax.jit(module.apply)(variables, *map(jnp.asarray, inputs)))
    for view, reference in theirs.items():
        found = parity.whole(ours[view], reference)
        spread = f"|values| to {np.abs(reference).max():.3g}, mean {np.abs(reference).mean():.2g}"
        table.append(f"{name} {view} {found:.1e} ({spread})")
