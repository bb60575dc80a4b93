"""What to type after a run: command lines that can be copied from any terminal and pasted into a shell."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence

from abaw_jax.defaults import at_full_size, get_config
from abaw_jax.report.card import Card

PROGRAM = ("python", "-m", "abaw_jax.main")
LINE = 79
"""Columns; a longer command goes on in the next line, by a backslash."""
REAL = {
    name: f"{name}:real"
    for name in (
        *("va", "expr", "au", "mtl"),
        *("expr_dilated_fusion", "va_interactive", "expr_text_guided", "va_soft_prompt", "au_local_global"),
    )
} | {f"masked_transformer:{task}": f"masked_transformer:{task}_real" for task in ("va", "expr", "au")}
"""Configs that come along ▶ the variant of each for a real corpus."""
SYNTHETIC = (
    "--config.synthetic.", "--config.train.steps", "--config.train.eval_every", "--config.model.",
    "--config.video.", "--config.audio.",
)  # fmt: skip
"""What is chosen for a small corpus and would be forgotten on a large one."""


@dataclasses.dataclass(frozen=True)
class Command:
    """Words for the shell, unquoted, and why one would want to say them."""

    why: str
    words: tuple[str, ...]

    def lines(self, indent: str = "") -> list[str]:
        """As the shell takes them; a word is never broken, however long."""
        lines = [indent + self.words[0]]
        for word in map(quote, self.words[1:]):
            if len(lines[-1]) + len(word) + len(" " + " \\") <= LINE:
                lines[-1] += f" {word}"
            else:
                lines[-1] += " \\"
                lines.append(f"{indent}    {word}")
        return lines


def next_commands(card: Card) -> Iterator[Command]:
    """Score again, predict, take a modality away; and from the synthetic corpus on to the real one."""
    checkpoint = f"--checkpoint={card['workdir']}"
    yield Command("score the best checkpoint anew, track by track", (*PROGRAM, "--mode=evaluate", checkpoint))
    if card.get("has_test", True):
        yield Command(
            "predict the test split; it says how to submit",
            (*PROGRAM, "--mode=predict", checkpoint, "--split=test"),
        )
    if (alone := card.get("alone")) and not card.get("fold"):  # `abaw compare` knows the official splits
        best = max(alone.values(), key=lambda found: found["value"])
        words = ("abaw", "compare", card["files"]["rows"], best["rows"], "--corpus", card["corpus"])
        yield Command("whether the two are better than the better one, or by chance", words)
    if not alone:
        yield _other_streams(card)
    if card["standards"] is not None:
        yield _real_corpus(card)


def quote(word: str) -> str:
    """For the shell; of a flag the value alone, in the quotes that the README uses."""
    flag, equals, value = word.partition("=")
    if "'" in value and not set(value) & set('"$`\\!'):
        return f'{flag}{equals}"{value}"'
    return f"{flag}{equals}{shlex.quote(value)}" if equals else shlex.quote(word)


def _other_streams(card: Card) -> Command:
    """What one modality alone can do; after a run of one, what both can."""
    streams = tuple(card["streams"])
    if len(streams) > 1:
        name = "audio" if "audio" in streams else streams[-1]
        why, suffix, wanted = f"the same from {name} alone", name, (name,)
    else:
        why, suffix, wanted = "the same from both modalities", "both", tuple(get_config().streams)
    return Command(why, _train(card, suffix, (f"--config.streams={wanted}",)))


def _real_corpus(card: Card) -> Command:
    """At full size where the config is one that has it."""
    flags: tuple[str, ...] = ("--config.corpus.root=/path/to/Aff-Wild2",)
    config = card["config"].removesuffix(":full").removesuffix("_full")
    if config not in REAL:
        full = at_full_size(get_config())
        streams = [name for name in full.streams if name in card["streams"]]
        flags += tuple(f"--config.{name}.encoder={full[name].encoder}" for name in streams)
    else:
        card = {**card, "config": REAL[config]}
    return Command(
        "the same on the real corpus, with real encoders", _train(card, "affwild2", flags, SYNTHETIC)
    )


def _train(card: Card, suffix: str, flags: Sequence[str], less: Sequence[str] = ()) -> tuple[str, ...]:
    """As it was asked for, but for `flags` and keys below `less`; each run wants a folder of its own."""
    name, colon, variant = card["config"].partition(":")
    config = f"--config=configs/{name}.py{colon}{variant}"
    given = {flag.partition("=")[0]: flag for flag in (*card.get("flags", ()), *flags)}
    kept = (flag for key, flag in given.items() if flag in flags or not key.startswith(tuple(less)))
    return (*PROGRAM, config, *kept, f"--workdir={card['workdir'].rstrip('/')}_{suffix}")
