"""A small tokenizer in CLIP's own format: byte pairs, merged as often as a few hundred sentences need."""

import json
from collections.abc import Sequence
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP's tokenizer takes for a word (arXiv 2103.00020; as its reference class splits)."""
MOST_TOKENS = 4096


def write_tokenizer(folder: Path, sentences: Sequence[str], length: int) -> int:
    """Learn merges until every word of the sentences is one token; returns the vocabulary's size.

    Any text can still be spelt, byte by byte.
    """
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = _merges(sentences, alphabet)
    tokens = [*alphabet, *(letter + WORD_END for letter in alphabet)]
    tokens += dict.fromkeys(a + b for a, b in merges if a + b not in set(tokens))
    tokens += [START, END]
    numbers = {token: number for number, token in enumerate(tokens)}
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges), ""]
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length}
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    return len(tokens)


def _merges(sentences: Sequence[str], alphabet: Sequence[str]) -> list[tuple[str, str]]:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    words = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    spelt = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, spelt])
    trainer = trainers.BpeTrainer(
        vocab_size=MOST_TOKENS, min_frequency=1, initial_alphabet=list(alphabet),
        end_of_word_suffix=WORD_END, show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([sentence.lower() for sentence in sentences], trainer)
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
