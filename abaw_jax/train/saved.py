"""A finished or half-finished run, opened from its checkpoint alone: no config file is executed."""

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config
from abaw_jax.store.spec import FeatureSpec, differences
from abaw_jax.tasks.frames import Stats
from abaw_jax.tasks.task import NoStats
from abaw_jax.train import history as histories
from abaw_jax.train.checkpoint import Checkpoints, UnusableCheckpoint, as_target
from abaw_jax.train.engine import Engine
from abaw_jax.train.state import State

FOLDER = "checkpoints"
CHANGEABLE = ("corpus", "store.root", "extract", "evaluation", "train.batch_size", "train.threads")
"""Keys that a checkpoint's model does not depend on."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint that was found; its arrays are not read yet."""

    run_folder: Path
    step: int
    notes: Mapping[str, Any]

    @classmethod
    def find(cls, path: Path) -> "Saved":
        """`path` is a run's folder (its best checkpoint is meant) or one checkpoint's."""
        is_step = path.name.isdecimal() and path.parent.name == FOLDER
        folder = path.parent if is_step else path / FOLDER
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{path}: found no checkpoint, expected a run's folder or {FOLDER}/STEP in it"
            )
        checkpoints = Checkpoints(folder, keep_best=1)
        try:
            steps = checkpoints.steps()
            if not steps or (is_step and int(path.name) not in steps):
                there = ", ".join(map(str, steps)) or "none"
                raise FileNotFoundError(f"{path}: no such checkpoint; steps there: {there}")
            step = int(path.name) if is_step else _best(checkpoints, steps)
            return cls(folder.parent, step, checkpoints.notes(step))
        finally:
            checkpoints.close()

    def config(self, changes: Sequence[str] = ()) -> ConfigDict:
        """As it was trained with; `changes` are `key=value` of keys that the model does not depend on."""
        config = get_config().unlock()
        config.model = ConfigDict()  # each model has keys of its own
        _update(config, self.notes["config"])
        for change in changes:
            key, equals, value = change.partition("=")
            if not equals or not any(key == free or key.startswith(f"{free}.") for free in CHANGEABLE):
                raise ValueError(f"--set {change}: expected KEY=VALUE of: {', '.join(CHANGEABLE)}")
            _set(config, key, value)
        return config.lock()

    @property
    def stats(self) -> Stats:
        """Of the rows that it was trained on."""
        return Stats(**_tuples(self.notes["stats"]))

    def state(self, run: Engine) -> State:
        """The arrays."""
        checkpoints = Checkpoints(self.run_folder / FOLDER, keep_best=1)
        try:
            return checkpoints.read(self.step, as_target(run.shapes, run.places)).state
        finally:
            checkpoints.close()


def check_features(notes: Mapping[str, Any], specs: Mapping[str, FeatureSpec], what: Path) -> None:
    """A model is only ever shown what it was trained on."""
    found = {name: spec.as_dict() for name, spec in specs.items()}
    if different := list(differences(found, notes["features"])):
        raise UnusableCheckpoint(f"{what}: trained on other features: {'; '.join(different[:3])}")


def check_rows(notes: Mapping[str, Any], stats: Stats | NoStats, what: Path) -> None:
    """A run goes on with the rows that it began with: their counts and moments tell others."""
    now = json.loads(json.dumps(dataclasses.asdict(stats)))
    if different := list(differences(now, notes["stats"])):
        raise UnusableCheckpoint(
            f"{what}: begun with other training rows, or other features of them: {'; '.join(different[:3])}"
        )


def _best(checkpoints: Checkpoints, steps: Sequence[int]) -> int:
    """Of those that are there the best by the newest history that can be read."""
    for newest in reversed(steps):
        try:
            history = checkpoints.notes(newest)["history"]
        except UnusableCheckpoint as error:
            logging.warning("%s; looking at the one before it", error)
            continue
        there = [entry for entry in history if entry["step"] in steps]
        return histories.best(there)["step"] if there else newest
    raise UnusableCheckpoint(f"{checkpoints.folder}: found no checkpoint that can be read")


def _update(config: ConfigDict, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), ConfigDict):
            _update(config[key], value)
        else:
            with config.ignore_type():
                config[key] = ConfigDict(value) if isinstance(value, Mapping) else _tuples(value)


def _set(config: ConfigDict, key: str, text: str) -> None:
    *rooms, last = key.split(".")
    for room in rooms:
        config = config.get(room) if isinstance(config, ConfigDict) else None
    if not isinstance(config, ConfigDict):
        raise ValueError(f"--set {key}: no such key; {'.'.join(rooms)} has none below it")
    if last not in config:
        raise ValueError(f"--set {key}: no such key; there are: {', '.join(config)}")
    value = _parsed(text, config.get_type(last))
    try:
        config[last] = value
    except TypeError as error:
        raise ValueError(f"--set {key}={text}: {error}") from error


def _parsed(text: str, wanted: type) -> Any:
    if wanted is str:
        return text
    try:
        return _tuples(json.loads(text))
    except ValueError:
        return text


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
