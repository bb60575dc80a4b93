"""What ends a run, as a person sees it: readable in any width, and commands that survive being copied."""

import io
import json
import shlex

import pytest
from rich.console import Console

from abaw_jax.report.commands import Command, next_commands
from abaw_jax.report.summary import Bar, show


def scores(va: float, expr: float, au: float) -> dict:
    named = {"va": va, "expr": expr, "au": au}
    return {task: {"score": score, "low": score, "high": score} for task, score in named.items()}


def card(**changes) -> dict:
    """As training makes it."""
    made = {
        "config": "va", "task": "va", "seed": 0,
        "streams": {
            "video": {"encoder": "tiny-clip", "view": None},
            "audio": {"encoder": "tiny-whisper", "view": None},
        },
        "score": {"name": "va", "value": 0.611, "low": 0.584, "high": 0.640},
        "intervals": {
            "va": {"score": 0.611, "low": 0.584, "high": 0.640},
            "valence": {"score": 0.650, "low": 0.6, "high": 0.7},
            "arousal": {"score": 0.572, "low": 0.5, "high": 0.6},
        },
        "rows": 2000, "tracks": 8, "parameters": 812_345, "seconds": 161.2, "step": 800, "steps": 1000,
        "commit": "2d31981+",
        "standards": {
            "floor": scores(0.0, 0.026, 0.0), "window, both": scores(0.734, 0.669, 0.814),
            "ceiling": scores(0.987, 0.979, 0.973),
        },
        "workdir": "runs/va",
        "files": {"learning curve": "runs/va/learning_curve.png", "checkpoints": "runs/va/checkpoints"},
    }  # fmt: skip
    return json.loads(json.dumps(made | changes))


def printed(of: dict, width: int = 80, encoding: str = "utf-8", **options) -> str:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding), width=width, _environ={}, **options)
    show(of, console)
    console.file.flush()
    return raw.getvalue().decode(encoding)


def typed(text: str) -> list[list[str]]:
    """The commands as a shell would take them, pasted."""
    after = text.partition("what to type next")[2].replace("\\\n", "")
    lines = [line.strip() for line in after.split("\n") if line.startswith("    ")]
    return [shlex.split(line) for line in lines]


def test_the_score_stands_among_its_landmarks():
    lines = printed(card()).splitlines()
    names = [line.split("  ")[1].strip() for line in lines[3:9]]
    assert names == ["ceiling", "oracle", "this run", "", "", "floor"]
    assert "0.611  0.584 to 0.640" in lines[5]
    assert lines[6].split() == ["valence", "0.650", "0.600", "to", "0.700"]
    bars = [lines[i].count("━") for i in (3, 4, 5, 8)]
    assert bars == sorted(bars, reverse=True) and bars[2] > bars[3] == 0
    assert "62% of the way from floor to ceiling, 83% of the way from floor to oracle" in "\n".join(lines)


def test_a_run_beyond_the_oracle_and_one_below_the_floor_are_ranked():
    beyond = card(score={"name": "va", "value": 0.8, "low": 0.7, "high": 0.9})
    assert printed(beyond).index("this run") < printed(beyond).index("oracle")
    below = card(score={"name": "va", "value": -0.1, "low": -0.2, "high": 0.0})
    assert printed(below).rindex("this run") > printed(below).index("floor ")
    assert "-10% of the way" in printed(below)


def test_what_it_took_and_where_things_are():
    text = " ".join(printed(card()).split())
    assert "2,000 rows of 8 tracks; 812,345 parameters; 1,000 steps in 3 min, the best is 800" in text
    assert "commit 2d31981+" in text
    assert "learning curve runs/va/learning_curve.png" in text
    assert "tensorboard runs/va/tensorboard" in text
    assert "commit" not in printed(card(commit=None))


def test_the_sum_of_three_is_held_against_sums():
    mtl = card(config="mtl", task="mtl", score={"name": "mtl", "value": 1.5, "low": 1.4, "high": 1.6})
    text = printed(mtl)
    assert "2.217" in text and "2.939" in text and "0.026" in text
    assert "    va " in text and "this run    1.500" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_fit_apart_from_commands_and_paths(width: int):
    text = printed(card(), width)
    body = text.partition("where things are")[0].splitlines()
    assert max(map(len, body[2:])) <= max(width, 60)
    assert max(map(len, body)) <= 100
    assert max(map(len, text.splitlines())) <= max(80, width)


@pytest.mark.parametrize("width", [20, 80, 200])
def test_commands_survive_copy_and_paste_at_any_width(width: int):
    odd = card(workdir="runs/it's a [bold]long[/] $HOME name " + "x" * 120)
    for of in (card(), odd, card(workdir='say "it\'s"')):
        wanted = [list(command.words) for command in next_commands(of)]
        assert typed(printed(of, width)) == wanted
        assert typed(printed(of, width, force_terminal=True, no_color=True, color_system=None)) == wanted


def test_commands_are_short_lines_where_words_allow():
    for command in next_commands(card()):
        assert max(map(len, command.lines("    "))) < 80
    assert Command("", ("a", "b c")).lines("  ") == ["  a 'b c'"]


def test_nothing_but_text_where_nobody_draws():
    assert "\x1b" not in printed(card())
    assert "\x1b[1;32m" in printed(card(), force_terminal=True, color_system="standard")
    assert "\x1b[1;32m" not in printed(card(), force_terminal=True, color_system="standard", no_color=True)
    assert "====" in printed(card(), encoding="ascii")


def test_what_to_type_next_follows_from_the_run():
    commands = [shlex.join(command.words) for command in next_commands(card())]
    assert commands[0].endswith("--mode=evaluate --checkpoint=runs/va")
    assert commands[1].endswith("--mode=predict --checkpoint=runs/va --split=test")
    assert "--config.streams=('audio',)" in list(next_commands(card()))[2].words
    assert "--config.corpus.root=/path/to/Aff-Wild2" in commands[3]
    assert "--config=configs/va.py:real" in commands[3]
    workdirs = [command.rpartition("--workdir=")[2] for command in commands[2:]]
    assert len({"runs/va", *workdirs}) == 3  # another run's folder would be refused


def test_what_the_run_changed_is_kept_where_it_is_compared():
    alone = {"audio": {"encoder": "logmel", "view": None}}
    flags = ["--config.corpus.root=my corpus", "--config.streams=('audio',)", "--config.model.width=32"]
    changed = card(streams=alone, flags=flags, standards=None, config="mtl:mixed")
    commands = list(next_commands(changed))
    assert len(commands) == 3  # without standards it is the real corpus already
    words = commands[2].words
    assert {"--config.streams=('video', 'audio')", "--config.corpus.root=my corpus"} <= set(words)
    assert {"--config.model.width=32", "--config=configs/mtl.py:mixed"} <= set(words)
    assert flags[1] not in words


def test_what_each_stream_does_alone_stands_in_the_table():
    alone = {"audio": {"value": 0.3, "low": 0.2, "high": 0.4, "rows": "runs/va_audio/rows.parquet"}}
    files = {"rows": "runs/va/rows.parquet", "checkpoints": "runs/va/checkpoints"}
    shown = card(alone=alone, corpus="my corpus", files=files)
    assert "audio alone 0.300 0.200 to 0.400" in " ".join(printed(shown).split())
    words = next(c.words for c in next_commands(shown) if "compare" in c.words)
    assert words[-1] == "my corpus"
    assert "runs/va_audio/rows.parquet" in words


def test_nobody_is_sent_to_a_test_split_that_is_not_there():
    assert not any("--split=test" in command.words for command in next_commands(card(has_test=False)))


def test_what_was_chosen_for_a_small_corpus_is_not_taken_to_the_real_one():
    flags = ["--config.synthetic.size=tiny", "--config.train.steps=5", "--config.loss.va.mse=0.5"]
    real = list(next_commands(card(flags=flags)))[-1].words
    assert "--config.loss.va.mse=0.5" in real
    assert not {*flags[:2]} & {*real}


def test_without_standards_there_is_nothing_to_hold_it_against():
    text = printed(card(standards=None))
    assert "this run" in text and "floor" not in text and "━" not in text and "way" not in text


def test_a_bar_is_a_share_of_its_room():
    console = Console(file=io.StringIO(), width=20, _environ={})
    console.print(Bar(0.475))
    assert console.file.getvalue() == "━" * 9 + "╸"
