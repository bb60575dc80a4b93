"""The encoders' networks, submodules named as in the Hugging Face file."""
