"""abaw_jax: valence and arousal, expressions and action units from faces and voices in the wild."""

__version__ = "0.1.0"
