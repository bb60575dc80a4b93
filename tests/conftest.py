"""Strict arrays for every test (jax never broadcasts ranks in silence), and the corpora that many read."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import hypothesis
import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan, make
from abaw_jax.corpus.tracks import Corpus

jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """The same cases on every run; the long proofs look for new ones."""
    if "full" not in (config.getoption("markexpr") or ""):
        hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long proofs run when asked for by name: `-m full`."""
    if "full" in (config.getoption("markexpr") or ""):
        return
    long = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


SMALL = Size(train=3, validation=2, test=2, seconds=2.0, fps=12.0)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """All odd cases of real downloads."""
    root = tmp_path_factory.mktemp("tiny") / "corpus"
    make(Plan(root, "tiny"))
    return root


@pytest.fixture(scope="session")
def tiny(tiny_root: Path, tmp_path_factory) -> Corpus:
    return open_corpus(tiny_root, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def small_root(tmp_path: Path) -> Path:
    """Seven tracks of 24 rows, labels alone, in the layout of the 10th edition."""
    make(Plan(tmp_path / "small", SMALL, with_crops=False, with_sounds=False), workers=1)
    return tmp_path / "small"


@pytest.fixture(scope="session")
def compile_once(tmp_path_factory):
    """Runs of one config are compiled once, however many of them are made."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before)
    compilation_cache.reset_cache()
