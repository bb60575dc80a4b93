"""The folder of a run: the same config goes on in it, another one is refused with what differs."""

import json
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from abaw_jax.store.spec import differences

CONFIG = "config.json"
PARAMETERS = "parameters.txt"
FREE = ("corpus.root", "corpus.packaged", "store.root", "extract", "train.threads", "train.log_every")
"""Keys that change nothing of what a run computes."""
SHOWN = 5


def as_json(config: ConfigDict) -> dict[str, Any]:
    """Plain values; tuples are lists there."""
    return json.loads(config.to_json())


def claim(workdir: Path, config: ConfigDict) -> None:
    """Begin a run in an empty folder, or go on in one of the same config."""
    workdir.mkdir(parents=True, exist_ok=True)
    path, wanted = workdir / CONFIG, as_json(config)
    if not path.exists():
        if jax.process_index():  # one process writes, every one refuses
            return
        part = path.with_suffix(".part")
        part.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
        return
    found = list(differences(_without_free(json.loads(path.read_text())), _without_free(wanted)))
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ValueError(
            f"{workdir} holds a run of another config: {'; '.join(found[:SHOWN])}{more}. "
            "Name another --workdir, or take that config"
        )


def describe(workdir: Path, params: Any) -> None:
    """Every parameter's name, shape and size, for who wants to look."""
    from clu import parameter_overview

    if jax.process_index() == 0:
        table = parameter_overview.get_parameter_overview(params, include_stats=False)
        (workdir / PARAMETERS).write_text(table + "\n", encoding="utf-8")


def _without_free(config: dict[str, Any], place: str = "") -> dict[str, Any]:
    kept = {}
    for key, value in config.items():
        here = f"{place}.{key}" if place else key
        if here not in FREE:
            kept[key] = _without_free(value, here) if isinstance(value, dict) else value
    return kept
