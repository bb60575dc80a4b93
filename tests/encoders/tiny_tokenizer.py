"""A tokenizer in CLIP's own format that knows single letters and how to spell happy."""

import json
import string
from pathlib import Path

MERGES = ("h a", "ha p", "p y</w>", "hap py</w>")
START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = (
    *string.ascii_lowercase,
    *(f"{letter}</w>" for letter in string.ascii_lowercase),
    *(merge.replace(" ", "") for merge in MERGES),
    START,
    END,
)
END_ID = TOKENS.index(END)


def write_tokenizer(folder: Path) -> Path:
    """Beside the weights, as in the published folders."""
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return folder
