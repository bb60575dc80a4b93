"""The README's commands, typed as they stand: those that take under a minute are run, in their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
ROOT = README.parent
NOT_RUN = {
    "pip install": "the first is what .ci/run begins with; both want an environment of their own",
    "/path/to/Aff-Wild2": "wants the organisers' files",
    "runs/va_real": "wants a model that was trained on them",
    "--sample": "wants the organisers' sample file",
    "abaw results": "wants the runs of the table",
    "bench evidence": "takes an hour",
    "va_interactive.py": "takes a minute, at full size hours; tests/test_end_to_end.py trains it on few rows",
}
"""What a command has in it ▶ why it is not run here."""
BEFORE = (
    "python -m abaw_jax.main --config=configs/va.py --config.synthetic.size=tiny --config.train.steps=4 "
    "--config.train.eval_every=2 --config.model.width=16 --config.model.layers=1 --config.model.heads=2"
)
"""In place of the first command, which takes up to three minutes: leaves runs/va for those that follow."""


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands() -> list[str]:
    """Every line of every bash block, those that go on by a backslash in one."""
    whole = "".join(blocks("bash")).replace("\\\n", " ")
    return [line.partition("  # ")[0].strip() for line in whole.splitlines() if line.strip()]


def reason(command: str) -> str | None:
    return next((why for mark, why in NOT_RUN.items() if mark in command), None)


def test_every_command_is_one_of_ours():
    found = commands()
    assert len(found) > 8
    for command in found:
        assert command.startswith(("python -m abaw_jax", "abaw ", "pip install", "for ", "done", "do ")), (
            command
        )


def test_every_reason_not_to_run_a_command_has_its_command():
    for mark in NOT_RUN:
        assert any(mark in command for command in commands()), mark


@pytest.mark.full
def test_the_commands_that_take_under_a_minute_do_what_they_say(tmp_path: Path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    place = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"}
    for command in [BEFORE, *(command for command in commands() if reason(command) is None)]:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=place,
            capture_output=True,
            text=True,
            executable="/bin/bash",
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{command}\n{done.stderr}"
    assert (tmp_path / "runs/va/card.json").is_file()
