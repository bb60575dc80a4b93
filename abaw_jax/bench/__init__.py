"""Benchmarks as programs: `python -m abaw_jax.bench NAME`, both sides in one run."""
