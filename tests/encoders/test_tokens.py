"""A small tokenizer that knows some sentences word by word and can spell everything else."""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import CLIPTokenizerFast

from abaw_jax.corpus.synthetic.captions import all_sentences
from abaw_jax.encoders.clip import token_ids
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.load import open_named
from abaw_jax.encoders.tokens import END, START, write_tokenizer
from abaw_jax.nn.backbones.clip import Config, Tower

SENTENCES = [
    "A face expressing Anger",
    "a face with lips pressed, jaw dropped",
    "low-energy, it's 12 o'clock",
]
LENGTH = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def size(folder: Path) -> int:
    return write_tokenizer(folder, SENTENCES, LENGTH)


@pytest.fixture(scope="module")
def tokenizer(folder: Path, size: int) -> CLIPTokenizerFast:
    return CLIPTokenizerFast.from_pretrained(folder)


def test_every_word_of_its_sentences_is_one_token(tokenizer):
    assert tokenizer.tokenize(SENTENCES[0]) == ["a</w>", "face</w>", "expressing</w>", "anger</w>"]
    assert tokenizer.tokenize(SENTENCES[1]) == [
        "a</w>", "face</w>", "with</w>", "lips</w>", "pressed</w>", ",</w>", "jaw</w>", "dropped</w>",
    ]  # fmt: skip
    # as the reference splits: single digits, and what follows an apostrophe
    assert tokenizer.tokenize(SENTENCES[2]) == [
        "low</w>", "-</w>", "energy</w>", ",</w>", "it</w>", "'s</w>", "1</w>", "2</w>", "o</w>", "'</w>",
        "clock</w>",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["an unhappy dog", "zürich", "笑顔 😀", "x = 3.14;\u00a0#!"])
def test_anything_else_is_spelt_byte_by_byte(text: str, tokenizer, size: int):
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == size - 2 and ids[-1] == size - 1
    assert size - 1 not in ids[:-1], "nothing is unknown, which would end the text"
    told = tokenizer.decode(ids, skip_special_tokens=True)
    assert told.replace(" ", "") == text.replace(" ", "").replace("\u00a0", "")


def test_ids_count_from_nought_without_a_gap_and_the_ends_are_last(folder: Path, size: int, tokenizer):
    numbers = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(numbers.values()) == list(range(size))
    assert (numbers[START], numbers[END]) == (size - 2, size - 1)
    assert len(tokenizer) == size and tokenizer.model_max_length == LENGTH


def test_the_same_sentences_in_any_order_give_the_same_files(folder: Path, size: int, tmp_path: Path):
    assert write_tokenizer(tmp_path, SENTENCES[::-1], LENGTH) == size
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_prompts_become_rows_of_one_length(folder: Path, size: int):
    tower = Tower(8, 1, 1, 8, vocab_size=size, max_position_embeddings=LENGTH, eos_token_id=size - 1)
    ids = token_ids(Checkpoint(folder, str(folder)), tower, SENTENCES)
    assert ids.shape == (3, LENGTH) and ids.dtype == np.int32
    assert (ids[:, 0] == size - 2).all()
    assert (ids == size - 1).argmax(axis=1).tolist() == [5, 9, 12]
    alone = [token_ids(Checkpoint(folder, str(folder)), tower, [text])[0] for text in SENTENCES]
    np.testing.assert_array_equal(ids, alone)


def test_of_several_prompts_the_one_that_does_not_fit_is_named(folder: Path, size: int):
    tower = Tower(8, 1, 1, 8, vocab_size=size, max_position_embeddings=6, eos_token_id=size - 1)
    with pytest.raises(ValueError, match=r"'a face with lips.*: found 10 tokens, expected 6 or fewer"):
        token_ids(Checkpoint(folder, str(folder)), tower, SENTENCES[:2])


def test_the_embedded_tokenizer_has_the_size_that_its_tower_has():
    checkpoint = open_named("tiny-clip")
    tower = Config.from_json(checkpoint.config).text
    numbers = checkpoint.read_json("vocab.json")
    assert sorted(numbers.values()) == list(range(tower.vocab_size))
    assert numbers[END] == tower.eos_token_id


def test_equally_common_pairs_are_joined_by_name(tmp_path: Path):
    write_tokenizer(tmp_path, ["abc"], LENGTH)
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == ["a b", "ab c</w>"]


def test_the_embedded_tokenizer_knows_every_word_of_the_captions():
    tokenizer = CLIPTokenizerFast.from_pretrained(open_named("tiny-clip").folder)
    pieces = {piece for text in all_sentences() for piece in tokenizer.tokenize(text)}
    assert all(piece.endswith("</w>") for piece in pieces)
