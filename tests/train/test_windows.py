"""From config to windows: what each system sees of every stream, around the rows that it predicts."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from abaw_jax.defaults import get_config
from abaw_jax.inputs.windows import Native, Present, Rows, Seconds, WindowSpec
from abaw_jax.store.spec import Grid
from abaw_jax.train.windows import window_spec
from tests.of_configs import config_of, specs_of

NATIVE = Grid("native", rate_hz=50.0)


def spec_of(config: ConfigDict, **grids: Grid) -> WindowSpec:
    return window_spec(config, dict.fromkeys(config.streams, Grid()) | grids)


def spec_of_system(name: str, variant: str) -> WindowSpec:
    config = config_of(name, variant)
    return window_spec(config, {stream: spec.grid for stream, spec in specs_of(config).items()})


@pytest.mark.parametrize(
    ("targets", "first", "predicted"), [("all", 0, tuple(range(6))), ("last", -5, (0,)), ("middle", -3, (0,))]
)
def test_rows_lie_before_around_or_on_the_targets(targets: str, first: int, predicted: tuple[int, ...]):
    config = get_config()
    config.window.rows, config.window.targets = 6, targets
    spec = spec_of(config)
    assert spec.targets == predicted
    assert spec.reaches == dict.fromkeys(("video", "audio"), Rows.span(first, first + 6))


@pytest.mark.parametrize(
    ("targets", "reach", "wanted"),
    [
        ("last", "spread", Seconds((-1.5, -1.0, -0.5, 0.0))),
        ("middle", "spread", Seconds((-0.75, -0.25, 0.25, 0.75))),
        ("all", "spread", Seconds((0.25, 0.75, 1.25, 1.75))),
        ("last", "present", Present(-2.0, 0.0, 4)),
        ("middle", "present", Present(-1.0, 1.0, 4)),
    ],
)
def test_some_vectors_are_spread_over_seconds(targets: str, reach: str, wanted):
    config = get_config()
    config.window.targets = targets
    config.video.reach, config.video.reach_s, config.video.reach_count = reach, 2.0, 4
    assert spec_of(config).reaches["video"] == wanted


@pytest.mark.parametrize(("targets", "first_s"), [("last", -3.0), ("middle", -1.5), ("all", 0.0)])
def test_a_stream_on_its_own_clock_gives_all_that_it_has_of_the_seconds(targets: str, first_s: float):
    config = get_config()
    config.window.targets, config.audio.reach, config.audio.reach_s = targets, "native", 3.0
    assert spec_of(config, audio=NATIVE).reaches["audio"] == Native(first_s, 150)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window.targets": "first"}, "window.targets: found 'first', expected one of: all, last, middle"),
        ({"video.reach": "far"}, "video.reach: found 'far', expected one of: rows, spread, present, native"),
        ({"video.reach": "spread"}, "video.reach_s: found None, expected more than 0"),
        ({"video.reach": "spread", "video.reach_s": 1.0}, "video.reach_count: found None"),
        ({"video.reach": "native"}, "video.reach: found 'native' of a stream of one vector a row"),
        ({"audio.reach": "rows"}, "audio.reach: found 'rows' of a stream on a clock of its own"),
        (
            {"audio.reach": "native", "audio.reach_s": 1.0, "audio.reach_count": 5},
            "audio.reach_count: found 5, expected none: native takes all",
        ),
        (
            {"video.reach": "present", "video.reach_s": 1.0, "video.reach_count": 5, "window.edge": "skip"},
            "video.reach: found 'present', which always fits",
        ),
        ({"window.rows": 0}, "window.rows: found 0, expected 1 or more"),
    ],
)
def test_what_cannot_be_is_told(change: dict, message: str):
    config = get_config()
    grid = NATIVE if "audio.reach" in change else Grid()
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match=message):
        spec_of(config, audio=grid)


@pytest.mark.parametrize(
    ("name", "variant"),
    [("expr_text_guided", "real"), ("va_soft_prompt", "real"), ("masked_transformer", "va_real")],
)
def test_what_is_published_as_looking_back_looks_back(name: str, variant: str):
    spec, specs = spec_of_system(name, variant), specs_of(config_of(name, variant))
    assert spec.targets == (0,)
    for stream, reach in spec.reaches.items():
        if isinstance(reach, Native):
            assert reach.first_s + reach.count / specs[stream].grid.rate_hz == 0
        else:
            assert (reach.last_s if isinstance(reach, Present) else max(reach.offsets)) == 0


def test_windows_of_the_published_systems_are_theirs():
    b, c, d = (spec_of_system(n, "real") for n in ("va_interactive", "expr_text_guided", "va_soft_prompt"))
    assert (len(b.targets), b.stride, b.edge) == (300, 200, "shift")
    assert (c.reaches["video"].count, c.stride, c.reaches["audio"]) == (90, 15, Native(-3.0, 150))
    assert d.reaches == {"video": Present(-10.0, 0.0, 20), "audio": Native(-10.0, 100)}
    e, j = spec_of_system("masked_transformer", "au_real"), spec_of_system("au_local_global", "real")
    assert (e.reaches["video"].offsets, e.stride, e.edge) == (tuple(range(-99, 1)), 1, "clamp")
    assert (len(j.targets), j.stride, j.edge) == (200, 200, "shift")
    a = spec_of_system("expr_dilated_fusion", "real").reaches["video"]
    np.testing.assert_allclose(np.diff(a.offsets), 0.25)
    assert (a.count, a.offsets[0]) == (16, -1.875)
