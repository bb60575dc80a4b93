"""A small tokenizer in CLIP's own format: byte pairs, merged as often as a few hundred sentences need."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP's tokenizer takes for a word (arXiv 2103.00020; as its reference class splits)."""
Pieces = tuple[str, ...]


def write_tokenizer(folder: Path, sentences: Sequence[str], length: int) -> int:
    """Learn merges until every word of the sentences is one token; returns the vocabulary's size.

    Any text can still be spelt, byte by byte.
    """
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = _merges(sentences)
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


def _merges(sentences: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs in the order in which they are joined: the commonest first, of such the first by name.

    Written out here because the library's own trainer breaks ties as its hash maps fall.
    """
    counts = Counter(word for sentence in sentences for word in _words(sentence))
    spelt = {word: (*word[:-1], word[-1] + WORD_END) for word in counts}
    merges: list[tuple[str, str]] = []
    while pairs := _pairs(spelt, counts):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelt = {word: _joined(pieces, best) for word, pieces in spelt.items()}
    return merges


def _words(sentence: str) -> list[str]:
    """Each spelt in letters that stand for its bytes."""
    from tokenizers import Regex, pre_tokenizers

    words = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    spelt = pre_tokenizers.Sequence([words, letters]).pre_tokenize_str(sentence.lower())
    return [word for word, _ in spelt]


def _pairs(spelt: Mapping[str, Pieces], counts: Mapping[str, int]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for word, pieces in spelt.items():
        for pair in itertools.pairwise(pieces):
            found[pair] += counts[word]
    return found


def _joined(pieces: Pieces, pair: tuple[str, str]) -> Pieces:
    out: list[str] = []
    for piece in pieces:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)
