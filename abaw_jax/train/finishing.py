"""What becomes of predicted rows: gaps filled, smoothed, joined, tuned, as `evaluation` of a config says."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from abaw_jax.evaluation import ensemble
from abaw_jax.evaluation.fill import ALIASES, RULES
from abaw_jax.evaluation.smooth import KERNELS, smooth
from abaw_jax.evaluation.table import RowTable, clipped
from abaw_jax.problems import one_of

TUNED = ("nothing", "smoothing", "thresholds")
ENSEMBLES = {"mean": ensemble.mean, "ccc_centred": ensemble.ccc_centred}


def check_evaluation(settings: ConfigDict, parts: Sequence[str]) -> None:
    """Words that cannot be are refused before anything is trained; `parts` are the tasks predicted."""
    one_of("evaluation.fill", settings.fill, (*RULES, *ALIASES))
    one_of("evaluation.smoothing", settings.smoothing, ("none", *KERNELS))
    one_of("evaluation.ensemble", settings.ensemble, ENSEMBLES)
    tune = one_of("evaluation.tune", settings.tune, TUNED)
    if settings.smoothing_s < 0:
        raise ValueError(f"evaluation.smoothing_s: found {settings.smoothing_s:g}, expected 0 or more")
    if tune == "thresholds" and "au" not in parts:
        raise ValueError(
            f"evaluation.tune: found 'thresholds', which are of action units, for {', '.join(parts)}"
        )
    if tune == "smoothing" and settings.smoothing == "none":
        raise ValueError("evaluation.tune: found 'smoothing', expected evaluation.smoothing to name a kernel")


def finished(table: RowTable, settings: ConfigDict, smoothing_s: float | None = None) -> RowTable:
    """Smoothed as the settings say, or over another width, and affect within its range."""
    width_s = settings.smoothing_s if smoothing_s is None else smoothing_s
    return clipped(smooth(table, settings.smoothing, width_s) if settings.smoothing != "none" else table)


def joined(tables: Sequence[RowTable], settings: ConfigDict) -> RowTable:
    """Of several members one."""
    return tables[0] if len(tables) == 1 else ENSEMBLES[settings.ensemble](tables)
