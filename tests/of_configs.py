"""Every config there is, with features as its encoders would make them, and a step of its training."""

import functools
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from abaw_jax.encoders.blank import open_blank
from abaw_jax.inputs.lessons import LEARNS
from abaw_jax.inputs.source import example
from abaw_jax.labels import PARTS
from abaw_jax.prompts import PROMPTS
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.tasks.frames import Stats
from abaw_jax.train.engine import compute_dtype
from abaw_jax.train.lessons import make_lesson_task
from abaw_jax.train.making import make_task
from abaw_jax.train.optim import make_optimizer, make_shares
from abaw_jax.train.state import fresh
from abaw_jax.train.step import make_step
from abaw_jax.train.windows import window_spec

FOLDER = Path(__file__).parent.parent / "configs"
NAMES = tuple(path.stem for path in sorted(FOLDER.glob("*.py")))
OF_ENCODERS = ("tiny_clip", "tiny_whisper")
SHAPES = {
    ("tiny-clip", None): (128,),
    ("tiny-clip", "grid"): (7, 7, 128),
    ("tiny-whisper", None): (128,),
    ("openai/clip-vit-large-patch14", None): (768,),
    ("openai/whisper-base", None): (512,),
    ("./weights/clip-vit-base-patch16", None): (512,),
    ("./weights/clip-vit-base-patch16", "grid7"): (7, 7, 768),
    ("./weights/clip-vit-base-patch32", None): (512,),
    ("facebook/wav2vec2-base-960h", None): (768,),
    ("MIT/ast-finetuned-audioset-10-10-0.4593", "time"): (768,),
    ("google/vit-base-patch16-224-in21k", None): (768,),
    ("./weights/convnext-base-224-22k", None): (1024,),
    ("./weights/ir50", None): (512,),
    ("./weights/vggish", "embedding"): (128,),
    ("mfcc", None): (39,),
}
"""(encoder, view) ▶ one vector of it."""
RATES_HZ = {"MIT/ast-finetuned-audioset-10-10-0.4593": 10.0}
"""On their own clock; of others 50."""
COUNTS = (400, 30, 20, 10, 90, 80, 60, 0), tuple(range(10, 130, 10)), (900,) * 12


@functools.cache
def module_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_of(name: str, variant: str | None = None) -> ConfigDict:
    get_config = module_of(name).get_config
    return get_config() if variant is None else get_config(variant)


def variants_of(name: str) -> tuple[str | None, ...]:
    """Those that it names when it is asked for another; None where it takes no word."""
    if not inspect.signature(module_of(name).get_config).parameters:
        return (None,)
    try:
        config_of(name, "no such variant")
    except ValueError as error:
        return tuple(str(error).rpartition("expected one of: ")[2].split(", "))
    raise AssertionError(f"{name} takes any variant")


def specs_of(config: ConfigDict) -> dict[str, FeatureSpec]:
    """What the store would hold of its streams."""
    specs = {}
    for name in config.streams:
        stream = config[name]
        grid = Grid()
        if stream.modality == "audio" and stream.align == "native":
            grid = Grid("native", rate_hz=RATES_HZ.get(stream.encoder, 50.0))
        specs[name] = FeatureSpec(name, SHAPES[stream.encoder, stream.view], grid, {})
    return specs


def batch_of(config: ConfigDict, rows: int | None = None, share: float = 0.9) -> dict[str, np.ndarray]:
    """Random features and labels, some of them masked."""
    rng, specs = np.random.default_rng(0), specs_of(config)
    spec = window_spec(config, {name: found.grid for name, found in specs.items()})
    one = example(spec, specs, PARTS[config.task])
    batch = {key: np.repeat(value, rows or config.train.batch_size, axis=0) for key, value in one.items()}
    for name, value in batch.items():
        if value.dtype == bool:
            batch[name] = rng.random(value.shape) < share
        elif name in config.streams:
            batch[name] = rng.standard_normal(value.shape).astype(value.dtype)
    labels = {
        "va": lambda shape: rng.uniform(-1, 1, shape).astype(np.float32),
        "expr": lambda shape: rng.integers(0, 7, shape).astype(np.int32),
        "au": lambda shape: rng.integers(0, 2, shape).astype(np.float32),
    }
    return batch | {part: labels[part](batch[part].shape) for part in PARTS[config.task]}


def stats_of(config: ConfigDict) -> Stats:
    """Counts, and vectors of prompts where the config has some."""
    if config.text.prompts == "none":
        return Stats(*COUNTS)
    width = specs_of(config)[config.streams[0]].shape[-1]
    words = np.random.default_rng(1).standard_normal((len(PROMPTS[config.text.prompts]), width))
    return Stats(*COUNTS, words=tuple(map(tuple, words.tolist())))


def task_of(config: ConfigDict):
    if config.task in LEARNS:
        return make_lesson_task(config, open_blank(config.model.name, compute_dtype(config)))
    return make_task(config, stats_of(config))


def step_of(config: ConfigDict, batch: dict[str, np.ndarray]):
    """(step, a function that makes its first state)"""
    task, optimizer = task_of(config), make_optimizer(config.optimizer, config.train.steps)

    def begin():
        variables = task.init(jax.random.key(0), jax.tree.map(jnp.asarray, batch))
        return fresh(variables, optimizer, config.optimizer.ema_decay > 0)

    shares = make_shares(config.optimizer, jax.eval_shape(begin).params)
    return make_step(task, optimizer, config.seed, config.optimizer.ema_decay, shares), begin
